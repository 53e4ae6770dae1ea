import { expect, test } from "vitest";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import { CREATE_ITEMS, insert, ITEMS, remove, Replica, update } from "./replica.fixture.ts";

const bothWays = test.each([
  ["in bulk", false],
  ["in order", true],
] as const);

bothWays("rows under a deferrable unique constraint are shifted %s", async (_, isOrdered) => {
  await using replica = await Replica.create(
    "create table items (id int primary key, label text, at int unique deferrable)",
  );
  const rows = [1, 2, 3, 4];
  await replica.apply(rows.map((id) => insert(String(id), "x", String(id))));
  await replica.apply(
    rows.map((id) => update(String(id), "x", String(id + 1))),
    { isOrdered },
  );
  expect(await replica.items()).toEqual(["(1,x,2)", "(2,x,3)", "(3,x,4)", "(4,x,5)"]);
});

test("a truncate that a foreign key forbids becomes deletes", async () => {
  await using replica = await Replica.create(
    `${CREATE_ITEMS}; create table child (id int primary key references items)`,
  );
  await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
  await replica.apply([{ kind: "truncate", tables: [0], restartIdentity: true }, insert("3", "three", "3")]);
  expect(await replica.items()).toEqual(["(3,three,3)"]);
});

test("triggers and foreign keys of the replica do not run again what the primary has run", async () => {
  await using replica = await Replica.create(
    `create table parent (id int primary key);
     create table items (id int primary key, label text, at int references parent);
     create function shout() returns trigger language plpgsql as $$ begin new.label := upper(new.label); return new; end $$;
     create trigger shout before insert or update on items for each row execute function shout()`,
  );
  await replica.apply([insert("1", "quiet", "77")]);
  expect(await replica.items()).toEqual(["(1,quiet,77)"]);
});

test.each([
  ["column at is bigint, on the primary integer", "alter table items alter at type bigint", "type integer"],
  [
    "its primary key is deferrable",
    "alter table items drop constraint items_pkey, add primary key (id) deferrable",
    "not deferrable",
  ],
])("a replica's table that differs is refused by name: %s", async (what, sql, fix) => {
  await using replica = await Replica.create();
  await execute(replica.url, sql);
  await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({
    code: "schema-mismatch",
    message: expect.stringContaining(`public.items on replica r: ${what}`),
    fix: expect.stringContaining(fix),
  });
});

test("a column that the key's index merely includes is no key", async () => {
  await using replica = await Replica.create(
    "create table items (id int, label text, at int, primary key (id) include (at))",
  );
  await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
  await replica.apply([update("1", "eins", "3"), remove("2", 0, 0)]);
  expect(await replica.items()).toEqual(["(1,eins,3)"]);
});

bothWays("a value that the replica cannot hold is refused, never cut off, %s (V1)", async (_, isOrdered) => {
  // What the catalog shows is the same as on the primary; the domain's own check is not.
  const table = {
    ...ITEMS,
    columns: ITEMS.columns.with(1, {
      name: "label",
      type: "other",
      nativeType: "public.short",
      isKey: false,
    }),
  } as const;
  await using replica = await Replica.create(
    "create domain short as varchar(3); create table items (id int primary key, label short, at int)",
  );
  for (const others of [[], [insert("2", "two", "2")]]) {
    const failed = replica.apply([insert("1", "cut off", "1"), ...others], { isOrdered, table });
    await expect(failed).rejects.toMatchObject({ code: "apply-refused", fields: { sqlState: "22001" } });
    await expect(failed).rejects.not.toThrow("cut off"); // S1
  }
  expect(await replica.items()).toEqual([]);
});

test("settings of the replica's own do not change what is written (V1)", async () => {
  const url = await freshDatabase(1);
  await execute(url, `alter database ${new URL(url).pathname.slice(1)} set array_nulls = off`);
  await using replica = await Replica.create(CREATE_ITEMS, { kind: "primary_wins" }, url);
  await replica.apply([insert("1", null, "1"), insert("2", "NULL", "2")]);
  expect(await execute(url, "select label is null as none from items order by id")).toEqual([
    { none: true },
    { none: false },
  ]);
});

test("rows that a policy hides from our role are an error, never absent", async () => {
  const url = await freshDatabase(1);
  const role = uniqueName("filtered");
  await execute(
    url,
    `create role ${role} login; grant create on database ${new URL(url).pathname.slice(1)} to ${role};
     grant set on parameter session_replication_role to ${role};
     ${CREATE_ITEMS}; insert into items values (1, 'hidden', 1); alter table items enable row level security;
     grant all on items to ${role}`,
  );
  const asRole = Object.assign(new URL(url), { username: role }).toString();
  await using replica = await Replica.create("select 1", { kind: "primary_wins" }, asRole);
  const denied = { code: "permission-denied", message: expect.stringContaining("row-level security") };
  await expect(replica.apply([remove("1", 0, 0)])).rejects.toMatchObject(denied);
});

import { expect, test } from "vitest";
import { eventually, execute, freshDatabase, lockTable, startPostgres, uniqueName } from "@lockstep/testkit";
import {
  CREATE_ITEMS,
  insert,
  ITEMS,
  never,
  progressAt,
  remove,
  Replica,
  update,
  windowOf,
} from "./replica.fixture.ts";

const bothWays = test.each([
  ["in bulk", false],
  ["in order", true],
] as const);

bothWays("inserts, updates of some columns, deletes and a truncate are applied %s", async (_, isOrdered) => {
  await using replica = await Replica.create();
  await replica.apply([insert("1", "one", "1"), insert("2", "two", null), insert("3", null, "3")], {
    isOrdered,
  });
  await replica.apply([update("1", 0, "9"), update("2", "zwei", 0), remove("3", 0, 0)], { isOrdered });
  expect(await replica.items()).toEqual(["(1,one,9)", "(2,zwei,)"]);
  await replica.apply([{ kind: "truncate", tables: [0], restartIdentity: false }, insert("4", "four", "4")], {
    isOrdered,
  });
  expect(await replica.items()).toEqual(["(4,four,4)"]);
});

test.each(["position = '0/ff'", "epoch_id = 'other'", "owner = 'somebody'"])(
  "the stored progress is the compare-and-set: with %s nothing is applied (A4)",
  async (change) => {
    for (const isOrdered of [false, true]) {
      await using replica = await Replica.create();
      await execute(replica.url, `update lockstep.progress set ${change}`);
      await expect(replica.apply([insert("1", "one", "1")], { isOrdered })).rejects.toMatchObject({
        code: "connection-lost",
      });
      expect(await replica.items()).toEqual([]);
    }
  },
);

test("a commit that was answered survives the replica's crash (A1)", async () => {
  await using server = await startPostgres();
  await using replica = await Replica.create(CREATE_ITEMS, { kind: "primary_wins" }, server.url());
  for (let id = 1; id <= 20; id++) await replica.apply([insert(String(id), "x", "1")]);
  await server.kill();
  await server.start();
  expect(await replica.items()).toHaveLength(20);
});

test("a claim ends the former session, even in the middle of its transaction", async () => {
  await using replica = await Replica.create();
  // Holds a row that the former session needs, so that it is caught between its first statement and its commit.
  await replica.apply([insert("1", "one", "1")]);
  const lock = await lockTable(replica.url, "items");
  const caught = replica.apply([update("1", "late", "9")]).catch((error: unknown) => error);
  await eventually("the former session waits", async () => {
    const rows = await execute(
      replica.url,
      "select from pg_locks where relation = 'items'::regclass and not granted",
    );
    if (rows.length === 0) throw new Error("not yet");
  });
  await using next = await replica.claim("next");
  expect(await caught).toMatchObject({ code: "server-unavailable" });
  expect(next.progress?.position).toBe(progressAt(1).position);
  await lock[Symbol.asyncDispose]();
  await next.apply(windowOf([update("1", "by the next", "2")], 2), never());
  expect(await replica.items()).toEqual(['(1,"by the next",2)']);
});

test("a run whose replica was claimed by another does not claim it back", async () => {
  await using replica = await Replica.create();
  await using next = await replica.claim("next");
  await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({ code: "connection-lost" });
  await expect(replica.claim("owner", undefined, false)).rejects.toMatchObject({ code: "replica-claimed" });
  await next.apply(windowOf([insert("1", "one", "1")], 1), never());
  await using again = await replica.claim("next", undefined, false);
  expect(again.progress).toMatchObject(progressAt(1));
});

test("a copy that has not ended is not applied to", async () => {
  await using replica = await Replica.create();
  await using fresh = await replica.claim("fresh");
  await execute(replica.url, "update lockstep.progress set is_copying = true");
  await expect(fresh.apply(windowOf([insert("1", "one", "1")], 1), never())).rejects.toMatchObject({
    code: "connection-lost",
  });
  expect(await replica.items()).toEqual([]);
});

test("progress that vanished is no reason to copy again (A2)", async () => {
  await using replica = await Replica.create();
  await replica.session.addTables([{ schema: "public", name: "items", identity: "1" }], never());
  await execute(replica.url, "delete from lockstep.progress");
  await expect(replica.claim("next")).rejects.toMatchObject({ code: "progress-missing" });
});

bothWays("two rows that swap a unique value end swapped %s", async (_, isOrdered) => {
  await using replica = await Replica.create(`${CREATE_ITEMS}; create unique index on items (label)`);
  await replica.apply([insert("1", "a", "1"), insert("2", "b", "2")]);
  const { conflicts } = await replica.apply(
    [update("1", "x", "1"), update("2", "a", "2"), update("1", "b", "1")],
    { isOrdered },
  );
  expect(conflicts).toBe(0);
  expect(await replica.items()).toEqual(["(1,b,1)", "(2,a,2)"]);
});

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

bothWays("a key changes and the column that was not carried stays %s", async (_, isOrdered) => {
  await using replica = await Replica.create();
  await replica.apply([insert("1", "kept", "1")]);
  await replica.apply([{ kind: "update", table: 0, before: ["1", 0, 0], after: ["5", 0, "2"] }], {
    isOrdered,
  });
  expect(await replica.items()).toEqual(["(5,kept,2)"]);
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
  [{ kind: "primary_wins" }, ["(1,new,2)", "(2,two,2)"], 3],
  [{ kind: "replica_wins" }, ["(1,old,5)"], 3],
  [{ kind: "latest_wins", column: "at" }, ["(1,old,5)", "(2,two,2)"], 3],
] as const)("drift is resolved and counted: %o", async (policy, expected, conflicts) => {
  await using replica = await Replica.create(CREATE_ITEMS, policy);
  await execute(replica.url, "insert into items values (1, 'old', 5)");
  const result = await replica.apply([
    insert("1", "new", "2"), // It is there.
    update("2", "two", "2"), // It is not there.
    remove("3", 0, 0), // Nor is this.
  ]);
  expect(result).toEqual({ events: 3, conflicts });
  expect(await replica.items()).toEqual(expected);
});

test("latest_wins lets a newer row of the primary through", async () => {
  await using replica = await Replica.create(CREATE_ITEMS, { kind: "latest_wins", column: "at" });
  await execute(replica.url, "insert into items values (1, 'old', 5), (2, 'old', null)");
  await replica.apply([insert("1", "new", "6"), insert("2", "new", "1")]);
  expect(await replica.items()).toEqual(["(1,new,6)", "(2,new,1)"]);
});

test.each([
  ["an insert found the row there", insert("1", "new", "2")],
  ["an update found no row", update("2", "two", "2")],
  ["a delete found no row", remove("2", 0, 0)],
])("halt stops at drift and applies nothing: %s", async (what, event) => {
  await using replica = await Replica.create(CREATE_ITEMS, { kind: "halt" });
  await execute(replica.url, "insert into items values (1, 'old', 5)");
  await expect(replica.apply([insert("7", "before it", "7"), event])).rejects.toMatchObject({
    code: "conflict-halted",
    message: expect.stringContaining(what),
  });
  expect(await replica.items()).toEqual(["(1,old,5)"]);
});

test("an update that finds no row and does not carry every column cannot be mended by policy", async () => {
  await using replica = await Replica.create();
  await expect(replica.apply([insert("7", "before it", "7"), update("1", 0, "2")])).rejects.toMatchObject({
    code: "row-incomplete",
    fields: { key: "id=1" },
  });
  expect(await replica.items()).toEqual([]);
});

test("a bulk statement that meets fewer rows than it names applies nothing by itself", async () => {
  await using replica = await Replica.create();
  await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
  await execute(replica.url, "delete from items where id = 2");
  const { conflicts } = await replica.apply([update("1", "eins", "1"), update("2", "zwei", "2")]);
  expect(conflicts).toBe(1);
  expect(await replica.items()).toEqual(["(1,eins,1)", "(2,zwei,2)"]);
});

test.each([
  ["it does not exist", "drop table items", "create it there"],
  ["column at is missing", "alter table items drop column at", 'add column "at" integer'],
  ["column at is bigint, on the primary integer", "alter table items alter at type bigint", "type integer"],
  [
    "column more is not on the primary, and every row needs a value",
    "alter table items add column more int not null",
    "set default",
  ],
  ["its primary key is another", "alter table items drop constraint items_pkey, add primary key (at)", ""],
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

test("a generated column is the replica's own affair", async () => {
  await using replica = await Replica.create(
    "create table items (id int primary key, label text, at int, twice int generated always as (at * 2) stored)",
  );
  await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
  await replica.apply([update("1", "one", "5")]);
  expect(await replica.items()).toEqual(["(1,one,5,10)", "(2,two,2,4)"]);
});

test("a column that the key's index merely includes is no key", async () => {
  await using replica = await Replica.create(
    "create table items (id int, label text, at int, primary key (id) include (at))",
  );
  await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
  await replica.apply([update("1", "eins", "3"), remove("2", 0, 0)]);
  expect(await replica.items()).toEqual(["(1,eins,3)"]);
});

test("a table that is altered under the session is looked at again", async () => {
  await using replica = await Replica.create();
  await replica.apply([insert("1", "one", "1")]);
  await execute(replica.url, "alter table items rename column label to name");
  await expect(replica.apply([insert("2", "two", "2")])).rejects.toMatchObject({ code: "connection-lost" });
  expect(await replica.items()).toEqual(["(1,one,1)"]);
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

test("an abort does not wait for a replica that hangs", async () => {
  await using server = await startPostgres();
  await using replica = await Replica.create(CREATE_ITEMS, { kind: "primary_wins" }, server.url());
  server.suspend();
  const startedMs = performance.now();
  await expect(replica.session.saveProgress(progressAt(1), AbortSignal.timeout(200))).rejects.toMatchObject({
    code: "connection-lost",
  });
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  server.resume();
});

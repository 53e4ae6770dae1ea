import { expect, test } from "vitest";
import { fold, offset, position, type ReplicationEvent, type RecordChanges } from "@lockstep/core";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import {
  CREATE_ITEMS,
  insert,
  ITEMS,
  never,
  progressAt,
  remove,
  Replica,
  update,
} from "./replica.fixture.ts";

/** Raises what it is told to, with the row in its message, before a row of this id is inserted. */
const raising = (sqlState: string, id = 3): string => `
  ${CREATE_ITEMS};
  create function fail() returns trigger language plpgsql as
    $$ begin raise exception 'it held %', new.label using errcode = '${sqlState}', detail = new.label; end $$;
  create trigger fails before insert on items for each row when (new.id = ${id}) execute function fail();
  alter table items enable always trigger fails`;

/** Two records, of one transaction and of two; the last one's second change is the third row. */
const RECORDS: readonly RecordChanges[] = [
  changesOf(70, ["500", [insert("1", "secret", "1")]]),
  changesOf(
    72,
    ["501", [insert("2", "secret", "2")]],
    ["502", [update("1", "secret", "9"), insert("3", "secret", "3")]],
  ),
];

function changesOf(
  at: number,
  ...transactions: readonly (readonly [xid: string, events: readonly ReplicationEvent[]])[]
): RecordChanges {
  return {
    offset: offset(at),
    tables: new Map([[0, ITEMS]]),
    transactions: transactions.map(([xid, events]) => ({ xid, position: position(`0/${xid}`), events })),
  };
}

type Way = "in bulk" | "in order" | "as a piece" | "as a piece in order";
const WAYS: readonly Way[] = ["in bulk", "in order", "as a piece", "as a piece in order"];

/** Applies the records in one of the ways; resolves with what it is refused with. */
async function refusalOf(replica: Replica, records: readonly RecordChanges[], way: Way): Promise<unknown> {
  const folded = way.endsWith("order") ? ({ kind: "ordered", reason: "asked for" } as const) : fold(records);
  const changes = { groups: records, folded };
  try {
    if (way.startsWith("as a piece")) {
      const target = await replica.session.openTransaction(never());
      await target.apply(changes, never());
      await target.commit(progressAt(1), never());
    } else await replica.session.apply({ ...changes, progress: progressAt(1) }, never());
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

/** Everything that a log would show of it. */
function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const fields = "fields" in error ? error.fields : null;
  const fix = "fix" in error ? error.fix : null;
  const text = JSON.stringify([fields, fix], (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return `${text} ${error.message} ${String(error.cause)}`;
}

test.each(WAYS)("a refused change is named with record, transaction, table, key and fix, %s", async (way) => {
  await using replica = await Replica.create(
    "create table items (id int primary key, label text, at int check (at <> 3))",
  );
  const error = await refusalOf(replica, RECORDS, way);
  expect(error).toMatchObject({
    code: "apply-refused",
    message:
      'replica r refuses a change of "public"."items", key id=3, in transaction 502 at 0/502 (record 72): ' +
      "SQLSTATE 23514 (check violation), constraint items_at_check",
    fix: expect.stringContaining("items_at_check"),
    fields: {
      replica: "r",
      record: 72n,
      xid: "502",
      position: "0/502",
      table: '"public"."items"',
      key: "id=3",
      sqlState: "23514",
      constraint: "items_at_check",
    },
  });
  expect(shown(error)).not.toContain("secret"); // S1
  expect(await replica.items()).toEqual([]);
});

test.each([
  ["23505", "insert into items values (33, 'x', 3); create unique index by_at on items (at)", "by_at"],
  ["23502", "alter table items alter label set not null", "label"],
  [
    "23P01",
    "alter table items add constraint apart exclude using btree (at with =); insert into items values (33, 'x', 3)",
    "apart",
  ],
  ["54000", "create index on items (label)", "the replica's table"],
  [
    "22001",
    "create domain short as varchar(3); alter table items alter label type short",
    "the replica's table",
  ],
  [
    "22P02",
    "create type mood as enum ('one', 'two'); alter table items alter label type mood using null",
    "the replica's table",
  ],
  [
    "23503",
    `create table homes (at int primary key); insert into homes values (1), (2);
     alter table items add constraint home foreign key (at) references homes;
     do $$ declare name text; begin for name in select tgname from pg_trigger where tgrelid = 'items'::regclass loop
       execute format('alter table items enable always trigger %I', name); end loop; end $$`,
    "home",
  ],
])("what a real replica refuses is named: SQLSTATE %s", async (sqlState, sql, named) => {
  const nativeType = sqlState === "22001" ? "public.short" : sqlState === "22P02" ? "public.mood" : "text";
  const label = { name: "label", type: "string", nativeType, isKey: false } as const;
  const table = { ...ITEMS, columns: ITEMS.columns.with(1, label) };
  await using replica = await Replica.create(CREATE_ITEMS);
  await execute(replica.url, sql);
  const third = sqlState === "23502" ? null : sqlState === "54000" ? noise(20_000) : "three";
  const events = [insert("1", "one", "1"), insert("2", "two", "2"), insert("3", third, "3")];
  const [record] = [{ ...changesOf(7, ["600", events]), tables: new Map([[0, table]]) }];
  const error = await refusalOf(replica, [record], "in bulk");
  expect(error).toMatchObject({
    code: "apply-refused",
    fix: expect.stringContaining(named),
    fields: { record: 7n, xid: "600", position: "0/600", table: '"public"."items"', key: "id=3", sqlState },
  });
  expect(shown(error)).not.toContain("three");
});

test.each([
  ["P0001", "apply-refused"],
  ["22003", "apply-refused"],
  ["XX000", "apply-refused"],
  ["58030", "apply-refused"],
  ["55000", "apply-refused"],
  ["42P01", "apply-refused"],
  ["0A000", "apply-refused"],
  ["53400", "setup-incomplete"],
  ["42501", "permission-denied"],
])("SQLSTATE %s will come again: %s, with all that names it", async (sqlState, code) => {
  for (const way of WAYS) {
    await using replica = await Replica.create(raising(sqlState));
    const error = await refusalOf(replica, RECORDS, way);
    expect(error).toMatchObject({
      code,
      fix: expect.any(String),
      fields: {
        record: 72n,
        xid: "502",
        position: "0/502",
        table: '"public"."items"',
        key: "id=3",
        sqlState,
      },
    });
    expect(shown(error)).not.toContain("secret");
  }
});

test.each([
  "08006", // connection_failure
  "25006", // read_only_sql_transaction
  "40001", // serialization_failure
  "40003", // statement_completion_unknown
  "40P01", // deadlock_detected
  "53000", // insufficient_resources
  "53100", // disk_full
  "53200", // out_of_memory
  "53300", // too_many_connections
  "55P03", // lock_not_available
  "57014", // query_canceled
  "57P01", // admin_shutdown
])("SQLSTATE %s passes: it is retried", async (sqlState) => {
  for (const way of WAYS) {
    await using replica = await Replica.create(raising(sqlState));
    const error = await refusalOf(replica, RECORDS, way);
    expect(error).toMatchObject({ code: "server-unavailable", action: "retry", fix: expect.any(String) });
    expect(shown(error)).not.toContain("secret");
  }
});

test("a right that is taken away is named with the statement that gives it back", async () => {
  const url = await freshDatabase(1);
  const role = uniqueName("poor");
  await execute(
    url,
    `create role ${role} login; grant create on database ${new URL(url).pathname.slice(1)} to ${role};
     grant set on parameter session_replication_role to ${role};
     ${CREATE_ITEMS}; grant select, insert on items to ${role}`,
  );
  const asRole = Object.assign(new URL(url), { username: role }).toString();
  await using replica = await Replica.create("select 1", { kind: "primary_wins" }, asRole);
  const error = await refusalOf(replica, [changesOf(7, ["600", [update("1", "secret", "2")]])], "in bulk");
  expect(error).toMatchObject({
    code: "permission-denied",
    message: expect.stringContaining("permission denied for table items"),
    fix: expect.stringContaining(`on "public"."items" to "${role}"`),
    fields: { record: 7n, xid: "600", key: "id=1" },
  });
});

test("what halts by policy, or cannot be mended by one, names record and transaction as well", async () => {
  await using halting = await Replica.create(CREATE_ITEMS, { kind: "halt" });
  const drifted = changesOf(9, ["700", [insert("1", "one", "1")]], ["701", [remove("2", 0, 0)]]);
  expect(await refusalOf(halting, [drifted], "in bulk")).toMatchObject({
    code: "conflict-halted",
    message: expect.stringContaining("key id=2, in transaction 701 at 0/701 (record 9)"),
    fields: { record: 9n, xid: "701", position: "0/701", key: "id=2" },
  });
  await using replica = await Replica.create();
  const incomplete = changesOf(9, ["700", [insert("1", "one", "1")]], ["701", [update("2", 0, "2")]]);
  expect(await refusalOf(replica, [incomplete], "in bulk")).toMatchObject({
    code: "row-incomplete",
    fields: { record: 9n, xid: "701", position: "0/701", key: "id=2" },
  });
});

test("a table that does not fit names the first transaction that needs it", async () => {
  await using replica = await Replica.create();
  await execute(replica.url, "alter table items drop column at");
  expect(await refusalOf(replica, RECORDS, "in bulk")).toMatchObject({
    code: "schema-mismatch",
    message: expect.stringContaining("in transaction 500 at 0/500 (record 70)"),
    fields: { record: 70n, xid: "500", position: "0/500", table: "public.items" },
  });
});

test("a refusal at the very commit names the transaction", async () => {
  await using replica = await Replica.create(
    `${CREATE_ITEMS};
     create function late() returns trigger language plpgsql as $$ begin raise exception 'it held %', new.label; end $$;
     create constraint trigger lates after insert on items deferrable initially deferred for each row execute function late();
     alter table items enable always trigger lates`,
  );
  const error = await refusalOf(replica, RECORDS, "in bulk");
  expect(error).toMatchObject({
    code: "apply-refused",
    fields: { record: 72n, xid: "502", position: "0/502", sqlState: "P0001" },
  });
  expect(shown(error)).not.toContain("secret");
});

test("a table that was altered under the session is looked at again, whatever the server says of it", async () => {
  await using replica = await Replica.create();
  await replica.apply([insert("9", "nine", "9")]);
  await execute(replica.url, "alter table items alter label type int using 1");
  const error = await refusalOf(replica, [changesOf(7, ["600", [insert("1", "one", "1")]])], "in bulk");
  expect(error).toMatchObject({ code: "connection-lost", action: "retry" });
});

/** A text that does not compress. */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(33 + (state % 90));
  }).join("");
}

import { expect, test } from "vitest";
import {
  eventually,
  execute,
  expectEqualDatabases,
  freshDatabase,
  LockstepProcess,
  openSession,
  sharedKafka,
  uniqueName,
} from "@lockstep/testkit";
import { grantsFor, tables } from "./applied-tables.ts";
import { Scenario } from "./scenario.ts";

/* What a replica says no to, and will again: that halts it alone. */

interface Halt {
  readonly why: string;
  /** What is different about the replica, and its tables, if they are not the primary's. */
  readonly sql: string;
  readonly tables?: string;
  /** On the primary, in one transaction. */
  readonly change: string;
  readonly mend: string;
  readonly code?: string;
  readonly sqlState?: string;
  readonly key: string;
  readonly fix: string;
  readonly isLarge?: boolean;
}

const HALTS: readonly Halt[] = [
  {
    why: "a right that was taken away in mid-stream",
    sql: "",
    change: "insert into items values (700, 'secret', 700, 'calm')",
    mend: "", // By another role.
    code: "permission-denied",
    sqlState: "42501",
    key: "id=700",
    fix: "grant select, insert",
  },
  {
    why: "a check",
    sql: "alter table items add constraint small check (n <> 100)",
    change: "insert into items values (100, 'secret', 100, 'calm')",
    mend: "alter table items drop constraint small",
    sqlState: "23514",
    key: "id=100",
    fix: "constraint small",
  },
  {
    why: "a unique value that is taken",
    sql: "create unique index taken on items (n); insert into items values (-1, 'mine', 200)",
    change: "insert into items values (200, 'secret', 200, 'calm')",
    mend: "delete from items where id = -1; drop index taken",
    sqlState: "23505",
    key: "id=200",
    fix: "in the way of taken",
  },
  {
    why: "a column that must not be null",
    sql: "alter table items alter m set not null",
    change: "insert into items values (300, 'secret', 300)",
    mend: "alter table items alter m drop not null",
    sqlState: "23502",
    key: "id=300",
    fix: "drop not null",
  },
  {
    why: "a text that is too long",
    sql: "",
    tables: tables({ code: "varchar(3)" }),
    change: "insert into items values (400, 'secret', 400, 'calm', 'secret')",
    mend: "alter table items alter c type text; drop domain code; create domain code as text; alter table items alter c type code",
    sqlState: "22001",
    key: "id=400",
    fix: "accept what the primary has",
  },
  {
    why: "a label that its enum lacks",
    sql: "alter type mood rename value 'wild' to 'mild'",
    change: "insert into items values (500, 'secret', 500, 'wild')",
    mend: "alter type mood rename value 'mild' to 'wild'",
    sqlState: "22P02",
    key: "id=500",
    fix: "accept what the primary has",
  },
  {
    why: "a trigger that always runs",
    sql: `create function no() returns trigger language plpgsql as
            $$ begin raise exception 'not %', new.label using detail = new.label; end $$;
          create trigger no before insert on items for each row when (new.n = 600) execute function no();
          alter table items enable always trigger no`,
    change: "insert into items values (600, 'secret', 600, 'calm')",
    mend: "drop trigger no on items",
    sqlState: "P0001",
    key: "id=600",
    fix: "accept what the primary has",
  },
  {
    why: "a row that is gone and does not come whole",
    sql: "",
    change: "update items set n = -n where id = 2",
    mend: "", // Of the primary.
    code: "row-incomplete",
    key: "id=2",
    fix: "make that row of the replica what it was on the primary before this change",
  },
  {
    why: "a row in the middle of a large transaction",
    sql: "alter table items add constraint large check (n <> 810000)",
    change:
      "insert into items select 800000 + g, repeat('secret', 20), 800000 + g, 'calm' from generate_series(1, 20000) g",
    mend: "alter table items drop constraint large",
    sqlState: "23514",
    key: "id=810000",
    fix: "constraint large",
    isLarge: true,
  },
];

test("what a replica will refuse again halts it alone, with record, transaction, table, key and fix", async () => {
  const urls = await Promise.all(
    [0, ...HALTS.map(() => 1), 1].map(async (server) => await freshDatabase(server)),
  );
  const [primary = "", ...replicas] = urls;
  const healthy = replicas.at(-1) ?? "";
  await execute(primary, tables());
  await execute(healthy, tables());
  const role = uniqueName("role");
  const asRole = replicas.map((url, index) =>
    HALTS[index]?.code === "permission-denied"
      ? Object.assign(new URL(url), { username: role }).toString()
      : url,
  );
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls: [primary, ...asRole] });
  for (const [index, halt] of HALTS.entries()) {
    await execute(replicas[index] ?? "", halt.tables ?? tables());
    if (halt.code === "permission-denied")
      await execute(replicas[index] ?? "", grantsFor(role, replicas[index] ?? ""));
  }
  const run = scenario.run();
  await run.waitForLog("following", { count: replicas.length });
  const rows =
    "insert into items select g, 'secret', g, 'calm', 'abc', repeat(md5(g::text), 100) from generate_series(1, 3) g";
  await execute(primary, rows);
  await scenario.expectEqual();
  for (const [index, { sql, code }] of HALTS.entries()) {
    const drift = code === "row-incomplete" ? "delete from items where id = 2" : "";
    const revoke = code === "permission-denied" ? `revoke insert on items from ${role}` : "";
    await execute(replicas[index] ?? "", sql + drift + revoke);
  }
  const named: Record<string, unknown>[] = [];
  for (const [index, halt] of HALTS.entries()) {
    const xid = await changeOn(primary, halt.change);
    const error = await haltOf(run, `replica-${index + 1}`);
    const { record = "", position = "", message } = error;
    expect({ why: halt.why, ...error }).toMatchObject({
      why: halt.why,
      code: halt.code ?? "apply-refused",
      xid,
      table: '"public"."items"',
      key: halt.key,
      fix: expect.stringContaining(halt.fix),
      ...(halt.sqlState === undefined ? {} : { sqlState: halt.sqlState }),
    });
    expect(message).toContain(`key ${halt.key}, in transaction ${xid} at ${position} (record ${record})`);
    expect(JSON.stringify(error)).not.toContain("secret"); // S1
    named.push({
      offset: record,
      after: expect.objectContaining({ id: halt.key.replace("id=", "") }),
      ...(halt.isLarge === true ? {} : { xid, position }), // Its pieces do not repeat the transaction.
    });
  }
  const events = await eventsOf(scenario);
  for (const event of named) expect(events).toContainEqual(expect.objectContaining(event));
  await eventually("the other one goes on", async () => await expectEqualDatabases(primary, healthy));
  expect(run.log.filter(({ msg }) => msg === "replica halted")).toHaveLength(HALTS.length);
  expect(await run.stop()).toEqual({ code: 0, signal: null });

  for (const [index, { mend, code }] of HALTS.entries()) {
    const grant = code === "permission-denied" ? `grant insert on items to ${role}` : "";
    const row =
      "insert into items select g, 'secret', g, 'calm', 'abc', repeat(md5(g::text), 100) from generate_series(2, 2) g";
    await execute(replicas[index] ?? "", mend + grant + (code === "row-incomplete" ? row : ""));
  }
  await using next = scenario.run();
  await scenario.expectEqual();
  expect(next.hasExited).toBe(false);
});

/** Runs one transaction on the primary; returns its id. */
async function changeOn(primary: string, sql: string): Promise<string> {
  await using session = await openSession(primary);
  await session.query(`begin; ${sql}`);
  const [row] = await session.query<{ xid: string }>("select pg_current_xact_id()::xid::text as xid");
  await session.query("commit");
  return row?.xid ?? "";
}

/** The error that halted a replica, as the log shows it. */
async function haltOf(run: LockstepProcess, replica: string): Promise<Record<string, string>> {
  return await eventually(`${replica} halts`, async () => {
    const halted = run.log.find(
      ({ msg, text }) => msg === "replica halted" && text.includes(`"replica":"${replica}"`),
    );
    if (halted === undefined) throw new Error("not yet");
    const line: { readonly err: Record<string, string> } = JSON.parse(halted.text);
    return await Promise.resolve(line.err);
  });
}

/** What `tail` prints of the whole topic. */
async function eventsOf(scenario: Scenario): Promise<unknown[]> {
  const args = ["tail", "-c", scenario.configPath, "--from", "beginning", "--no-follow", "--json"];
  await using tail = new LockstepProcess(args);
  await tail.exited;
  return tail.output.map((line): unknown => JSON.parse(line));
}

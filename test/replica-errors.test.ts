import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  eventually,
  execute,
  expectEqualDatabases,
  freshDatabase,
  LockstepProcess,
  mountSmallDisk,
  openSession,
  sharedKafka,
  startPostgres,
  uniqueName,
  type DatabaseSession,
  type PostgresServer,
  type SmallDisk,
} from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

/* What a real replica says no to: what passes is waited for, what will come again halts that replica alone. */

const tables = ({ mood = "'calm', 'wild'", code = "text" } = {}): string => `
  create type mood as enum (${mood});
  create domain code as ${code};
  create table items (id int primary key, label text, n int, m mood, c code, big text);
  alter table items alter big set storage external;`;

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
    sql: "",
    tables: tables({ mood: "'calm'" }),
    change: "insert into items values (500, 'secret', 500, 'wild')",
    mend: "alter type mood add value 'wild'",
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

const grantsFor = (role: string, url: string): string => `
  create role ${role} login; grant create on database ${new URL(url).pathname.slice(1)} to ${role};
  grant set on parameter session_replication_role to ${role};
  grant usage on schema public to ${role};
  grant select, insert, update, delete, truncate on all tables in schema public to ${role};`;

describe("what passes is waited for", () => {
  const role = uniqueName("role");
  let server: PostgresServer;
  let disk: SmallDisk | null;
  let scenario: Scenario;
  let run: LockstepProcess;
  /** As superuser. */
  let replica: string;
  let healthy: string;

  beforeAll(async () => {
    [server, disk] = await Promise.all([startPostgres(), mountSmallDisk(8)]);
    await server.query("create database shop");
    replica = server.url("shop");
    healthy = await freshDatabase(1);
    const asRole = Object.assign(new URL(replica), { username: role }).toString();
    scenario = await Scenario.create({
      brokers: sharedKafka(),
      urls: [await freshDatabase(0), asRole, healthy],
    });
    for (const url of [scenario.primaryUrl, replica, healthy]) await execute(url, tables());
    await execute(replica, `alter database shop set deadlock_timeout = '3s'; ${grantsFor(role, replica)}`);
    run = scenario.run();
    await run.waitForLog("following", { count: 2 });
    await scenario.onPrimary("insert into items values (1, 'one', 0), (2, 'two', 0)");
    await scenario.expectEqual();
  });

  afterAll(async () => {
    for (const held of [run, server, disk]) await held?.[Symbol.asyncDispose]();
  });

  const endSessions = async (): Promise<void> => {
    await execute(
      replica,
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1",
      [role],
    );
  };
  const change = async (n: number): Promise<void> => {
    await scenario.onPrimary(`update items set n = ${n} where id in (1, 2)`);
  };

  /** Changes rows 1 and 2 on the primary while somebody holds row 2 of the replica, who then does `then`. */
  const meet = async (n: number, then: (other: DatabaseSession) => Promise<unknown>): Promise<void> => {
    await using other = await openSession(replica);
    await other.query("set deadlock_timeout = '1min'");
    await other.query("begin; update items set label = label where id = 2");
    await change(n);
    await eventually("it waits for the row", async () => {
      const waiting = await execute(
        replica,
        "select from pg_stat_activity where usename = $1 and wait_event_type = 'Lock'",
        [role],
      );
      expect(waiting).toHaveLength(1);
    });
    await then(other);
  };

  test.each<{
    readonly why: string;
    /** As the log says it. */
    readonly said: string;
    readonly provoke: (n: number) => Promise<unknown>;
    /** Without it, it passes by itself. */
    readonly mend?: () => Promise<unknown>;
  }>([
    {
      why: "a deadlock with another session",
      said: "40P01",
      provoke: async (n) =>
        await meet(
          n,
          async (other) => await other.query("update items set label = label where id = 1; commit"),
        ),
    },
    {
      why: "a statement that somebody cancels",
      said: "57014",
      provoke: async (n) =>
        await meet(n, async () => {
          await execute(replica, "select pg_cancel_backend(pid) from pg_stat_activity where usename = $1", [
            role,
          ]);
          await run.waitForLog("57014");
        }),
    },
    {
      why: "a session that somebody ends",
      said: "57P01",
      provoke: async (n) =>
        await meet(n, async () => {
          await endSessions();
          await run.waitForLog("57P01");
        }),
    },
    {
      why: "a transaction that cannot be serialized",
      said: "40001",
      provoke: async (n) => {
        await execute(replica, `alter role ${role} set default_transaction_isolation = 'repeatable read'`);
        await endSessions();
        await meet(n, async (other) => await other.query("commit"));
      },
      mend: async () => await execute(replica, `alter role ${role} reset default_transaction_isolation`),
    },
    {
      why: "no connection left for the role",
      said: "too many connections for role",
      provoke: async (n) => {
        await execute(replica, `alter role ${role} connection limit 0`);
        await endSessions();
        await change(n);
      },
      mend: async () => await execute(replica, `alter role ${role} connection limit -1`),
    },
    {
      why: "a database that takes no connections",
      said: "not currently accepting connections",
      provoke: async (n) => {
        await server.query("alter database shop allow_connections false");
        await server.query(
          "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = 'shop'",
        );
        await change(n);
      },
      mend: async () => await server.query("alter database shop allow_connections true"),
    },
    {
      why: "a replica that is read-only",
      said: "in a read-only transaction",
      provoke: async (n) => {
        await execute(replica, `alter role ${role} set default_transaction_read_only = on`);
        await endSessions();
        await change(n);
      },
      mend: async () => await execute(replica, `alter role ${role} reset default_transaction_read_only`),
    },
    {
      why: "a server that is killed",
      said: "ECONNREFUSED",
      provoke: async (n) => {
        await server.kill();
        await change(n);
      },
      mend: async () => await server.start(),
    },
    // Last: a server that crashed would fill it again.
    {
      why: "a disk that is full",
      said: "53100",
      provoke: async (n) => {
        for (const sql of disk === null ? FULL_BY_TRIGGER : fullDisk(disk)) await execute(replica, sql);
        const big = "select string_agg(md5(g::text), '') from generate_series(1, 50000) g";
        await scenario.onPrimary(`update items set n = ${n}, big = (${big})`);
      },
      mend: async () =>
        await execute(replica, disk === null ? "drop trigger is_full on items" : "drop table ballast"),
    },
  ])("$why", async ({ said, provoke, mend }) => {
    const n = Math.trunc(performance.now());
    const before = run.log.length;
    await provoke(n);
    await eventually("it is said", async () => {
      const lines = run.log.slice(before).filter(({ msg }) => msg.startsWith("replica interrupted"));
      expect(await Promise.resolve(lines.map(({ text }) => text).join())).toContain(said);
    });
    const read = async (url: string): Promise<unknown> => await execute(url, "select distinct n from items");
    await eventually("the other one has it", async () => expect(await read(healthy)).toEqual([{ n }]));
    await mend?.();
    await eventually("it goes on by itself", async () => expect(await read(replica)).toEqual([{ n }]));
    expect(run.log.filter(({ msg }) => msg === "replica halted")).toEqual([]);
  });
});

/** The table's files on a small disk that has no room for more. */
const fullDisk = ({ path }: SmallDisk): string[] => [
  `create tablespace small location '${path}'`,
  "alter table items set tablespace small",
  "create table ballast tablespace small as select g from generate_series(1, 180000) g",
];

/** Where no disk can be made: what the server would say. */
const FULL_BY_TRIGGER = [
  `create function is_full() returns trigger language plpgsql as
     $$ begin raise exception 'no space left' using errcode = 'disk_full'; end $$`,
  "create trigger is_full before update on items for each row execute function is_full()",
  "alter table items enable always trigger is_full",
];

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

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  eventually,
  execute,
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
import { grantsFor, tables } from "./applied-tables.ts";
import { Scenario } from "./scenario.ts";

/* What a replica says no to, and that passes: it is waited for. */

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

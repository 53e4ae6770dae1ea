import { afterAll, beforeAll, expect, test } from "vitest";
import {
  eventually,
  execute,
  lockTable,
  startKafka,
  startPostgresServers,
  type KafkaBroker,
  type PostgresServer,
} from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* How runs and primaries stop while something that they need hangs. */
const TABLE = "create table items (id int primary key, label text)";
let broker: KafkaBroker;
let servers: PostgresServer[];

beforeAll(async () => {
  [broker, servers] = await Promise.all([startKafka(), startPostgresServers(2)]);
});

afterAll(async () => {
  await Promise.all([broker, ...servers].map(async (server) => await server[Symbol.asyncDispose]()));
});

async function newScenario(): Promise<Scenario> {
  const scenario = await Scenario.create({ brokers: broker.brokers, urls: await createDatabases(servers) });
  await scenario.everywhere(TABLE);
  return scenario;
}

const first = (urls: readonly string[]): string => urls[0] ?? "";
const OURS = "application_name like 'lockstep_%'";

test("what fails while a run is being stopped is not stored as applied (A2)", async () => {
  const scenario = await newScenario();
  const replica = first(scenario.replicaUrls);
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items values (1, 'before')");
  await scenario.expectEqual();
  {
    await using _ = await lockTable(replica, "items");
    await scenario.onPrimary("insert into items values (2, 'in hand')");
    await eventually("it waits for the lock", async () => {
      const waiting = await execute(
        replica,
        `select from pg_stat_activity where ${OURS} and wait_event_type = 'Lock'`,
      );
      expect(waiting).toHaveLength(1);
    });
    run.kill("SIGTERM");
    await run.waitForLog("stopping");
    await execute(replica, `select pg_cancel_backend(pid) from pg_stat_activity where ${OURS}`);
    expect(await run.exited).toEqual({ code: 0, signal: null });
  }
  await using next = scenario.run();
  await scenario.expectEqual();
  expect(next.hasExited).toBe(false);
});

test("a frozen replica does not keep a run from stopping", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items values (1, 'one')");
  await scenario.expectEqual();
  const [, replica] = servers;
  replica?.suspend();
  try {
    await scenario.onPrimary("insert into items values (2, 'two')");
    const startedMs = performance.now();
    expect(await run.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  } finally {
    replica?.resume();
  }
});

test("a frozen broker does not keep a run from stopping", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following");
  broker.suspend();
  try {
    await scenario.onPrimary("insert into items values (1, 'one')");
    await eventually("it was sent to us", async () => {
      const rows = await scenario.onPrimary(
        `select from pg_stat_replication where ${OURS} and write_lsn >= (select pg_current_wal_lsn())`,
      );
      expect(rows).toHaveLength(1);
    });
    const startedMs = performance.now();
    expect(await run.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  } finally {
    broker.resume();
  }
  await using next = scenario.run();
  await scenario.expectEqual();
  expect(next.hasExited).toBe(false);
});

test.each(
  drawn([
    ["a little is waiting", 1],
    ["more than we take in is waiting", 40_000],
  ]),
)("a primary may stop while the log is away and %s (H1)", async (_, rows) => {
  const scenario = await newScenario();
  const [primary] = servers;
  await using run = scenario.run();
  await run.waitForLog("following");
  broker.suspend();
  try {
    for (const part of [1, 2, 3]) {
      await scenario.onPrimary(
        `insert into items select ${part} * 100000 + g, repeat('x', 300) from generate_series(1, ${rows}) g`,
      );
    }
    const startedMs = performance.now();
    await primary?.stop("fast");
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  } finally {
    broker.resume();
  }
  expect(run.hasExited).toBe(false);
  await primary?.start();
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

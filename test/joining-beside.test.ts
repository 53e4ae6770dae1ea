import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually, execute, TcpProxy, type LockstepProcess } from "@lockstep/testkit";
import { outgrowLog } from "./outgrown-log.ts";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { statusOf } from "./status-of.ts";

/* Several tables that join a replica at the same time, each in a state of its own. */
const servers = ownServers(2);

async function newScenario(maxLogBytes?: number): Promise<Scenario> {
  const urls = await createDatabases(servers);
  const scenario = await Scenario.create({ urls, ...(maxLogBytes === undefined ? {} : { maxLogBytes }) });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  return scenario;
}

const replicaOf = (scenario: Scenario): string => scenario.replicaUrls[0] ?? "";

/** A table is copied, and nothing more, when the run that copied it is killed. */
async function killedAfterCopy(scenario: Scenario, create: string): Promise<void> {
  await using run = scenario.run({ LOCKSTEP_FAILPOINT: "table-copied:1" });
  await run.waitForLog("following");
  await scenario.onPrimary(create);
  expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
}

const joined = async (run: LockstepProcess, count = 1): Promise<unknown> =>
  await run.waitForLog("tables joined the replica", { count, timeoutMs: 30_000 });

async function isLive(scenario: Scenario, table: string): Promise<void> {
  await eventually(`${table} is live`, async () =>
    expect(
      await execute(replicaOf(scenario), `select state from lockstep.tables where table_name = '${table}'`),
    ).toEqual([{ state: "live" }]),
  );
}

test("a copied table that the replica cannot take holds up neither other copied tables nor new ones", async () => {
  const scenario = await newScenario();
  await killedAfterCopy(scenario, "create table amiss (id int primary key); insert into amiss values (1)");
  await scenario.onPrimary("alter table amiss add column v text; insert into amiss values (2, 'v')");
  await scenario.onPrimary("create table fresh (id int primary key); insert into fresh values (1)");
  await using run = scenario.run();
  await run.waitForLog("column v is missing", { timeoutMs: 20_000 });
  await isLive(scenario, "fresh");
  const leftOut = async (): Promise<unknown> => (await statusOf(run)).replicas["replica-1"]?.leftOut;
  await eventually("the status names it", async () =>
    expect(await leftOut()).toMatchObject({ tables: ["public.amiss"], error: { code: "schema-mismatch" } }),
  );
  await execute(replicaOf(scenario), "alter table amiss add column v text");
  await scenario.expectEqual();
  await isLive(scenario, "amiss");
  await eventually("the status has forgotten it", async () => expect(await leftOut()).toBeNull());
  expect(scenario.conflicts).toEqual([]);
});

test("a table that comes to a quiet primary joins without waiting for its next word", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("create table late (id int primary key); insert into late values (1)");
  await run.waitForLog("copied tables", { timeoutMs: 20_000 });
  const copiedMs = performance.now();
  await joined(run);
  expect(performance.now() - copiedMs).toBeLessThan(2_000);
});

test("a table that changes all the while joins a replica that is far away", async () => {
  const urls = await createDatabases(servers);
  const [primary = "", replica = ""] = urls;
  const target = new URL(replica);
  await using proxy = await TcpProxy.start({ targetPort: Number(target.port) });
  target.hostname = "127.0.0.1";
  target.port = String(proxy.port);
  const scenario = await Scenario.create({ urls, reachedAs: [primary, target.toString()] });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  proxy.delay(50);
  await scenario.onPrimary(
    "create table late (id int, n int); alter table late replica identity full; insert into late select g, 0 from generate_series(1, 50) g",
  );
  const stop = new AbortController();
  const working = (async (): Promise<void> => {
    for (let n = 1; !stop.signal.aborted; n++) {
      await scenario.onPrimary(`update late set n = ${n} where id = ${n % 50}`);
      await sleep(150);
    }
  })();
  try {
    await run.waitForLog("copied tables", { timeoutMs: 30_000 });
    await joined(run);
  } finally {
    stop.abort();
    await working;
    proxy.delay(0);
  }
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test(
  "a table that came while nothing ran, before more changes than the log holds, fills the log for no longer than a moment",
  { timeout: 180_000 },
  async () => {
    const scenario = await newScenario(64 * 1024 * 1024);
    await scenario.onPrimary("create table late (id int primary key); insert into late values (1)");
    for (let part = 0; part < 20; part++) {
      await scenario.onPrimary(
        `insert into items select ${part} * 10000 + g, repeat('x', 1000) from generate_series(1, 5000) g`,
      );
    }
    await using run = scenario.run();
    await run.waitForLog("tables joined the replica", { timeoutMs: 90_000 });
    await scenario.expectEqual();
  },
);

test("a record that names a table and another one of its name is passed", async () => {
  const scenario = await newScenario();
  const make = "create table items (id int primary key, v text)";
  await scenario.onPrimary(
    `insert into items values (1, 'former'); drop table items; ${make};
     alter publication lockstep_${scenario.pipeline} add table items; insert into items values (2, 'new')`,
  );
  await scenario.onPrimary("insert into items values (3, 'new')");
  await using run = scenario.run();
  await joined(run);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test(
  "a copied table that the replica cannot take keeps neither the log nor the other tables",
  { timeout: 180_000 },
  async () => {
    const scenario = await newScenario(64 * 1024 * 1024);
    await killedAfterCopy(scenario, "create table amiss (id int primary key); insert into amiss values (1)");
    await scenario.onPrimary("alter table amiss add column v text; insert into amiss values (2, 'v')");
    await using run = scenario.run();
    await run.waitForLog("column v is missing", { timeoutMs: 20_000 });
    await outgrowLog(scenario, replicaOf(scenario));
    await execute(replicaOf(scenario), "alter table amiss add column v text");
    await scenario.expectEqual();
    expect(scenario.conflicts).toEqual([]);
  },
);

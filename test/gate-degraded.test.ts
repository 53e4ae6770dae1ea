import { afterAll, beforeAll, expect, test } from "vitest";
import {
  eventually,
  execute,
  openSession,
  startKafka,
  type KafkaBroker,
  type LockstepProcess,
} from "@lockstep/testkit";
import { command } from "./command.ts";
import { gateScenario, gated, msOf, turn, untilWaiting } from "./gate/gated.ts";
import { ownServers } from "./own-servers.ts";
import type { Scenario } from "./scenario.ts";
import { statusOf } from "./status-of.ts";

/* Where commits would wait too long, and what is made up for afterwards. */
const servers = ownServers(3);
let broker: KafkaBroker;
beforeAll(async () => {
  broker = await startKafka();
});
afterAll(async () => {
  await servers[0]?.query("alter system reset synchronous_standby_names");
  await broker[Symbol.asyncDispose]();
});

const newScenario = async (extra: string): Promise<Scenario> =>
  await gateScenario(servers, { extra, brokers: broker.brokers });

async function gateOf(run: LockstepProcess): Promise<unknown> {
  return (await statusOf(run)).primary.gate;
}

test("a log that is away lets commits go after a while; back, they wait again, a run that was killed meanwhile or not", async () => {
  const scenario = await newScenario("mode: semi-sync\nminReplicasSync: 1\ndegradeAfterMs: 1000");
  const run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("insert into items values (1, 'whole')");
  broker.suspend();
  const ms = await msOf(session.query("insert into items values (2, 'late')"));
  expect(ms).toBeGreaterThan(900);
  expect(ms).toBeLessThan(10_000);
  await run.waitForLog("the log is late");
  await eventually("it says so", async () => expect(await gateOf(run)).toBe("degraded-log"));
  await eventually("the command says so, too", async () =>
    expect((await command(scenario, "gate", "status")).text).toContain("commits do not wait (degraded)"),
  );
  expect(await msOf(session.query("insert into items values (3, 'let through')"))).toBeLessThan(1_000);
  broker.resume();
  await run.waitForLog("the gate is armed", { count: 2 });
  await eventually("it says so", async () => expect(await gateOf(run)).toBe("armed"));
  await session.query("set synchronous_commit = remote_apply");
  await session.query("insert into items values (4, 'whole')");
  broker.suspend();
  await session.query("insert into items values (5, 'late')");
  await run.waitForLog("the log is late", { count: 2 });
  run.kill();
  await run.exited;
  broker.resume();
  await using next = scenario.run();
  await next.waitForLog("the gate is armed");
  await session.query("insert into items values (6, 'whole')");
  const seen = await Promise.all(
    scenario.replicaUrls.map(async (url) => await execute(url, "select id from items")),
  );
  expect(seen.map((rows) => rows.length)).toContain(6);
  await turn(scenario, "off");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("what the primary has not sent yet is late, too: a commit waits behind it no longer than behind any other", async () => {
  const scenario = await newScenario("mode: semi-sync\nminReplicasSync: 1\ndegradeAfterMs: 1000");
  await using run = await gated(scenario);
  const [walsender] = await scenario.onPrimary<{ pid: number }>("select pid from pg_stat_replication");
  const { pid } = walsender ?? expect.unreachable();
  await using session = await openSession(scenario.primaryUrl);
  process.kill(pid, "SIGSTOP"); // As one that decodes a large transaction.
  try {
    const ms = await msOf(session.query("insert into items values (1, 'behind it')"));
    expect(ms).toBeGreaterThan(900);
    expect(ms).toBeLessThan(3_000);
    await run.waitForLog("the log is late");
    expect(await msOf(session.query("insert into items values (2, 'let through')"))).toBeLessThan(1_000);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await run.waitForLog("the gate is armed", { count: 2 });
  await turn(scenario, "off");
  await scenario.expectEqual();
  await run.stop();
});

test("in mode sync a replica that is copied anew lets commits go, and is waited for again afterwards", async () => {
  const scenario = await newScenario("mode: sync\nsnapshot: { existing: truncate }");
  await using run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  await session.query("insert into items values (1, 'whole')");
  const [, replica = ""] = scenario.replicaUrls;
  await servers[2]?.stop("immediate");
  const waits = session.query("insert into items values (2, 'waits')");
  await untilWaiting(scenario.primaryUrl);
  await servers[2]?.start();
  await execute(replica, "drop schema lockstep cascade; truncate items"); // As if it were new.
  await waits;
  await run.waitForLog("tables are live", { count: 3 });
  await eventually("it counts again", async () => expect((await statusOf(run)).quorum.of).toBe(2));
  await session.query("insert into items values (3, 'whole')");
  expect(await execute(replica, "select id from items order by id")).toEqual([
    { id: 1 },
    { id: 2 },
    { id: 3 },
  ]);
  await turn(scenario, "off");
  await scenario.expectEqual();
});

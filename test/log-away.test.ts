import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, LockstepProcess, openSession, startKafka, type KafkaBroker } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { expectAgreement, statusOf } from "./status-of.ts";

/* A run, and the commit gate, while the event log is away. */
const servers = ownServers(2);
const MAY_TAKE_MS = 15_000;
let broker: KafkaBroker;

beforeAll(async () => {
  broker = await startKafka();
});

afterAll(async () => {
  await broker[Symbol.asyncDispose]();
});

async function expectLogAway(scenario: Scenario, run: LockstepProcess): Promise<void> {
  await eventually("the status says so", async () => {
    const { primary } = await statusOf(run);
    expect(primary).toMatchObject({ connected: true, error: { code: "log-unavailable" } });
  });
  await using asked = new LockstepProcess(["status", "--url", await run.url(), "-c", scenario.configPath]);
  expect(await asked.exited).toMatchObject({ code: 0 });
  expect(asked.output[1]).toContain("primary main: connected");
  expect(asked.output[2]).toContain("log-unavailable: ");
}

test("a log that is away is said beside the primary, whether it commits or not, until it is back", async () => {
  const scenario = await Scenario.create({ brokers: broker.brokers, urls: await createDatabases(servers) });
  await scenario.everywhere("create table items (id int primary key)");
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items values (1)");
  await scenario.expectEqual();
  await expectAgreement(scenario, run, broker.brokers);
  await broker.kill();
  await expectLogAway(scenario, run);
  await scenario.onPrimary("insert into items values (2)");
  await expectLogAway(scenario, run);
  await broker.start();
  await scenario.expectEqual();
  await expectAgreement(scenario, run, broker.brokers);
});

async function expectReturned(work: Promise<unknown>): Promise<void> {
  const isReturned = work.then(() => true);
  const isLate = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), MAY_TAKE_MS).unref());
  expect(await Promise.race([isReturned, isLate])).toBe(true);
}

test("the log goes, and is away when the next run starts: commits are let go, and wait again once it is back", async () => {
  const extra = "mode: semi-sync\nminReplicasSync: 1\ndegradeAfterMs: 1000";
  const urls = await createDatabases(servers);
  const scenario = await Scenario.create({ brokers: broker.brokers, urls, extra });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  const killed = scenario.run();
  await killed.waitForLog("tables are live");
  await using on = new LockstepProcess(["gate", "on", "-c", scenario.configPath]);
  await on.exited;
  await killed.waitForLog("the gate is armed");
  await broker.kill();
  killed.kill();
  await killed.exited;
  await using session = await openSession(scenario.primaryUrl);
  const waiting = session.query("insert into items values (1, 'waits')");
  await using run = scenario.run();
  await expectReturned(waiting);
  await run.waitForLog("no run can stream");
  await broker.start();
  await run.waitForLog("the gate is armed", { timeoutMs: 60_000 });
  await session.query("insert into items values (2, 'waits')");
  await using off = new LockstepProcess(["gate", "off", "-c", scenario.configPath]);
  expect(await off.exited).toMatchObject({ code: 0 });
  await scenario.expectEqual();
  await run.stop();
});

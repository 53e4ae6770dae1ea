import { expect } from "vitest";
import {
  eventually,
  execute,
  sharedKafka,
  type LockstepProcess,
  type PostgresServer,
} from "@lockstep/testkit";
import { command } from "../command.ts";
import { createDatabases, Scenario } from "../scenario.ts";

export const SETTING = "select setting from pg_settings where name = 'synchronous_standby_names'";

/** A table on the primary, and replicas that commits may wait for. */
export async function gateScenario(
  servers: readonly PostgresServer[],
  { extra = "mode: sync", brokers = sharedKafka() } = {},
): Promise<Scenario> {
  const scenario = await Scenario.create({ brokers, urls: await createDatabases(servers), extra });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  return scenario;
}

/** A run whose gate is armed. */
export async function gated(scenario: Scenario): Promise<LockstepProcess> {
  const run = scenario.run();
  await run.waitForLog("tables are live", { count: scenario.replicaUrls.length });
  await turn(scenario, "on");
  await run.waitForLog("the gate is armed");
  return run;
}

export async function turn(scenario: Scenario, to: "on" | "off"): Promise<void> {
  expect(await command(scenario, "gate", to)).toMatchObject({ code: 0 });
}

/** Turns the gate off: nothing is set afterwards. */
export async function off(scenario: Scenario): Promise<void> {
  expect(await command(scenario, "gate", "off")).toMatchObject({
    code: 0,
    text: expect.stringContaining("no commit waits"),
  });
  expect(await scenario.onPrimary(SETTING)).toEqual([{ setting: "" }]);
}

/** For after a test that failed: it leaves nobody waiting. */
export async function letGo(primary: PostgresServer | undefined): Promise<void> {
  await primary?.query("alter system reset synchronous_standby_names");
  await primary?.query("select pg_reload_conf()");
}

export async function msOf(work: Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work;
  return performance.now() - begunMs;
}

/** How many commits wait now. */
async function waiting(url: string): Promise<number> {
  return (await execute(url, "select from pg_stat_activity where wait_event = 'SyncRep'")).length;
}

export async function untilWaiting(url: string, count = 1): Promise<void> {
  await eventually(`${count} commits wait`, async () => expect(await waiting(url)).toBe(count));
}

import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { eventually, openSession, type DatabaseSession } from "@lockstep/testkit";
import { command } from "./command.ts";
import { SETTING, gateScenario, gated, letGo, msOf, off, turn } from "./gate/gated.ts";
import { ownServers } from "./own-servers.ts";
import type { Scenario } from "./scenario.ts";

/* Where the gate cannot be, which is said, and the application goes on. */
const servers = ownServers(2);

afterEach(async () => await letGo(servers[0]));

const newScenario = async (extra: string): Promise<Scenario> => await gateScenario(servers, { extra });

/** Refused for a reason, with nothing changed, and no commit waits. */
async function expectRefused(scenario: Scenario, action: "on" | "off", why: string): Promise<void> {
  const before = await scenario.onPrimary(SETTING);
  const { code, text } = await command(scenario, "gate", action);
  expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining("gate-unavailable") });
  expect(text).toContain(why);
  expect(text).toContain("fix: ");
  expect(await scenario.onPrimary(SETTING)).toEqual(before);
}

async function expectNoneWaits(scenario: Scenario, id: number): Promise<void> {
  const insert = scenario.onPrimary(`insert into items values (${id}, 'at once')`);
  expect(await msOf(insert)).toBeLessThan(1_000);
}

/** Whether the server takes `alter system` from anybody. */
async function allowAlterSystem(is: "on" | "off"): Promise<void> {
  await appendFile(join(servers[0]?.dataDir ?? "", "postgresql.conf"), `\nallow_alter_system = ${is}\n`);
  await servers[0]?.query("select pg_reload_conf()");
  await eventually("it is read", async () =>
    expect(await servers[0]?.query("show allow_alter_system")).toEqual([{ allow_alter_system: is }]),
  );
}

test("with every WAL sender in use: `gate on` is refused, and a run that cannot stream lets commits go", async () => {
  const [primary] = servers;
  await primary?.stop();
  await primary?.start({ max_wal_senders: "2" }); // The run's, and one for its copies.
  const scenario = await newScenario("mode: semi-sync\nminReplicasSync: 1\ndegradeAfterMs: 1000");
  const occupy = async (): Promise<DatabaseSession[]> => {
    const url = `${scenario.primaryUrl}?replication=database`;
    return await Promise.all([openSession(url), openSession(url)]);
  };
  const leave = async (held: readonly DatabaseSession[]): Promise<void> => {
    for (const session of held) await session[Symbol.asyncDispose]();
  };
  const first = scenario.run();
  await first.waitForLog("tables are live");
  await first.stop();

  const held = await occupy();
  await expectRefused(scenario, "on", "all 2 WAL senders of the primary are in use");
  expect((await command(scenario, "gate", "status")).text).toContain("the gate is off");
  await leave(held);

  const killed = scenario.run();
  await killed.waitForLog("following");
  await turn(scenario, "on");
  await killed.waitForLog("the gate is armed");
  killed.kill();
  await killed.exited;
  const again = await occupy();
  await using session = await openSession(scenario.primaryUrl);
  const insert = session.query("insert into items values (1, 'waits')");
  await using run = scenario.run();
  await insert;
  expect((await run.waitForLog("cannot start yet")).text).toContain("max_wal_senders");
  await run.waitForLog("no run can stream");
  await expectNoneWaits(scenario, 2);
  await leave(again);
  await run.waitForLog("the gate is armed");
  await off(scenario);
  await scenario.expectEqual();
  await run.stop();
});

test("a server that takes the setting from nobody: refused, and a gate that it took before is named", async () => {
  const [primary] = servers;
  const scenario = await newScenario("mode: sync");
  const run = await gated(scenario);
  await allowAlterSystem("off");
  await expectRefused(scenario, "off", "allow_alter_system is off");
  await allowAlterSystem("on");
  await off(scenario);
  await allowAlterSystem("off");
  expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 }); // There is nothing to take back.
  await expectRefused(scenario, "on", "allow_alter_system is off");
  await expectNoneWaits(scenario, 1);
  await allowAlterSystem("on");
  await run.stop();
  await primary?.stop();
  await primary?.start({ synchronous_standby_names: "" });
  await expectRefused(scenario, "on", "on the primary's command line");
  await expectNoneWaits(scenario, 2);
});

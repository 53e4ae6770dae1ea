import { expect, test } from "vitest";
import { eventually, execute, expectEqualDatabases } from "@lockstep/testkit";
import { command } from "./command.ts";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";

const servers = ownServers(3);

async function newScenario(extra = ""): Promise<Scenario> {
  const scenario = await Scenario.create({ urls: await createDatabases(servers), extra });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  return scenario;
}

const countOf = async (url: string): Promise<number> => (await execute(url, "select from items")).length;

test("a paused replica is left as it is, through a restart too, while the other goes on; resumed, it lacks nothing", async () => {
  const scenario = await newScenario();
  const [first = "", second = ""] = scenario.replicaUrls;
  const early = await command(scenario, "pause", "replica-1");
  expect(early).toMatchObject({ code: 1, text: expect.stringContaining("has not begun") });
  {
    await using run = scenario.run();
    await run.waitForLog("tables are live", { count: 2 });
    await scenario.onPrimary("insert into items values (1, 'before')");
    await scenario.expectEqual();
    expect(await command(scenario, "pause", "replica-1")).toMatchObject({
      code: 0,
      text: "replica replica-1 is paused",
    });
    await scenario.onPrimary("insert into items values (2, 'meanwhile')");
    await run.waitForLog("replica paused");
    await eventually(
      "the other goes on",
      async () => await expectEqualDatabases(scenario.primaryUrl, second),
    );
    expect(await countOf(first)).toBe(1);
    await run.stop();
  }
  await using run = scenario.run();
  await run.waitForLog("replica paused");
  await scenario.onPrimary("insert into items values (3, 'after')");
  await eventually("the other goes on", async () => await expectEqualDatabases(scenario.primaryUrl, second));
  expect(await countOf(first)).toBe(1);
  const again = await command(scenario, "pause", "replica-1", "--json");
  expect(again).toMatchObject({ code: 0, text: '[{"replica":"replica-1","changed":false}]' });
  expect((await command(scenario, "resume")).text.split("\n")).toEqual([
    "replica replica-1 goes on within seconds",
    "replica replica-2 was not paused",
  ]);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("a replica is paused in the middle of its first copy, which goes on afterwards", async () => {
  const scenario = await newScenario("snapshot: { maxBytesPerSecond: 1000000 }");
  const [first = ""] = scenario.replicaUrls;
  await scenario.onPrimary("insert into items select g, repeat('v', 100) from generate_series(1, 20000) g");
  await using run = scenario.run();
  await run.waitForLog("copying tables", { count: 2 });
  expect((await command(scenario, "pause")).code).toBe(0);
  await run.waitForLog("replica paused", { count: 2 });
  const sessions = await execute(
    first,
    `select pid from pg_stat_activity where application_name = 'lockstep_${scenario.pipeline} copy'`,
  );
  expect(sessions).toEqual([]);
  expect((await command(scenario, "resume")).code).toBe(0);
  await run.waitForLog("tables are live", { count: 2, timeoutMs: 60_000 });
  await scenario.expectEqual();
  const unknown = await command(scenario, "pause", "reports");
  expect(unknown).toMatchObject({ code: 2, text: expect.stringContaining("there is no replica reports") });
});

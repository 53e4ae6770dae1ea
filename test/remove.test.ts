import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { eventually, execute, LockstepProcess, sharedKafka, withAdmin, type Exit } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* H1: what a pipeline keeps on servers goes by a command, and nothing else does. */
const servers = ownServers(3);

async function newScenario(brokers?: readonly string[]): Promise<Scenario> {
  const urls = await createDatabases(servers);
  const scenario = await Scenario.create({ urls, ...(brokers === undefined ? {} : { brokers }) });
  await scenario.onPrimary("create table items (id int primary key); insert into items values (1), (2)");
  return scenario;
}

async function followed(
  scenario: Scenario,
  isShown: () => Promise<void> = async () => await Promise.resolve(),
): Promise<void> {
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  await scenario.onPrimary("insert into items values (3)");
  await scenario.expectEqual();
  await isShown();
  await run.stop();
}

interface Said {
  readonly exit: Exit;
  readonly output: string;
}

async function remove(scenario: Scenario, ...args: readonly string[]): Promise<Said> {
  await using command = new LockstepProcess(["remove", ...args, "-c", scenario.configPath]);
  const exit = await command.exited;
  return { exit, output: [...command.output, ...command.log.map(({ text }) => text)].join("\n") };
}

const ownOn = async (scenario: Scenario): Promise<unknown> =>
  await scenario.onPrimary(
    `select (select count(*)::int from pg_replication_slots where slot_name = 'lockstep_${scenario.pipeline}') as slots,
            (select count(*)::int from pg_publication where pubname = 'lockstep_${scenario.pipeline}') as publications`,
  );
const NOTHING = [{ slots: 0, publications: 0 }];
const schemaOf = async (url: string): Promise<unknown> =>
  await execute(url, "select nspname from pg_namespace where nspname = 'lockstep'");

test("a pipeline with the embedded log leaves nothing behind, and the tables as they were", async () => {
  const scenario = await newScenario();
  await followed(scenario);
  const folder = join(dirname(scenario.configPath), "log", scenario.pipeline);
  expect(existsSync(folder)).toBe(true);
  const { exit, output } = await remove(scenario, "pipeline", "--yes");
  expect(exit).toEqual({ code: 0, signal: null });
  expect(output).toMatch(/primary main: replication slot lockstep_\w+, which keeps .* of WAL/);
  expect(await ownOn(scenario)).toEqual(NOTHING);
  for (const url of scenario.replicaUrls) expect(await schemaOf(url)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
  await scenario.expectEqual();
  const again = await remove(scenario, "pipeline", "--yes");
  expect(again.exit.code).toBe(0);
  expect(again.output).toContain("nothing was there to remove");
});

test("a pipeline through Kafka: topic and consumer groups go, another pipeline's stay", async () => {
  const [scenario, other] = [await newScenario(sharedKafka()), await newScenario(sharedKafka())];
  const left = async (pipeline: string): Promise<string[]> =>
    await withAdmin(sharedKafka(), async (admin) => {
      const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
      return [...(await admin.listTopics()), ...groups].filter((name) => name.includes(pipeline)).sort();
    });
  const all = (pipeline: string): string[] =>
    ["", ".replica-1", ".replica-2"].map((suffix) => `lockstep.${pipeline}${suffix}`);
  const following = [scenario, other].map(async (each) => {
    await followed(each, async () => {
      await eventually("the groups show", async () =>
        expect(await left(each.pipeline)).toEqual(all(each.pipeline)),
      );
    });
  });
  await Promise.all(following);

  const one = await remove(scenario, "replica", "replica-2", "--yes");
  expect(one.exit.code).toBe(0);
  expect(await left(scenario.pipeline)).toEqual(all(scenario.pipeline).slice(0, 2));
  const [first = "", second = ""] = scenario.replicaUrls;
  expect([await schemaOf(first), await schemaOf(second)]).toEqual([[{ nspname: "lockstep" }], []]);

  const { exit, output } = await remove(scenario, "pipeline", "--yes", "--json");
  expect(exit.code).toBe(0);
  expect(JSON.parse(output.split("\n")[0] ?? "")).toMatchObject([
    { place: "primary main" },
    { place: "replica replica-1" },
    { place: "replica replica-2", removed: [] },
    { place: "event log" },
  ]);
  await eventually("the broker has forgotten them", async () =>
    expect(await left(scenario.pipeline)).toEqual([]),
  );
  expect(await left(other.pipeline)).toEqual(all(other.pipeline));
});

test("what a run uses is not removed; nobody to ask, an unknown name, and what is away are errors", async () => {
  const scenario = await newScenario();
  await followed(scenario);
  {
    await using run = scenario.run();
    await run.waitForLog("following", { count: 2 });
    for (const args of [["pipeline"], ["replica", "replica-1"]]) {
      const { exit, output } = await remove(scenario, ...args, "--yes");
      expect(exit.code).toBe(1);
      expect(output).toMatch(/still-in-use: .*\n\s*fix: stop .*lockstep run/);
    }
    await run.stop();
  }
  const unasked = await remove(scenario, "pipeline");
  expect(unasked.exit.code).toBe(2);
  expect(unasked.output).toContain("--yes");
  const unknown = await remove(scenario, "replica", "reports", "--yes");
  expect(unknown.exit.code).toBe(2);
  expect(unknown.output).toContain("there is no replica reports");

  const [, , away] = servers;
  await away?.stop("immediate");
  const refused = await remove(scenario, "pipeline", "--yes");
  expect(refused.exit.code).toBe(1);
  expect(refused.output).toMatch(/nothing was removed: replica replica-2 cannot be asked/);
  expect(await ownOn(scenario)).toEqual([{ slots: 1, publications: 1 }]);
  const skipped = await remove(scenario, "pipeline", "--yes", "--skip-unreachable");
  expect(skipped.exit.code).toBe(0);
  expect(await ownOn(scenario)).toEqual(NOTHING);
  await away?.start();
  const rest = await remove(scenario, "pipeline", "--yes");
  expect(rest.output).toContain("removed schema lockstep (replica replica-2)");
});

test("a replica that was removed is copied again only where it may be: its rows are refused, not doubled", async () => {
  const scenario = await newScenario();
  await followed(scenario);
  expect((await remove(scenario, "replica", "replica-1", "--yes")).exit.code).toBe(0);
  await using run = scenario.run();
  await run.waitForLog("table-not-empty", { timeoutMs: 30_000 });
  const [replica = ""] = scenario.replicaUrls;
  await execute(replica, "truncate items");
  await run.waitForLog("tables are live", { timeoutMs: 30_000 });
  await scenario.expectEqual();
});

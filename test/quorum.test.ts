import { expect, test } from "vitest";
import { eventually, execute, LockstepProcess } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { metricsOf, statusOf, valueOf } from "./status-of.ts";

const servers = ownServers(4);

/** `pause`, `resume`. */
async function tell(scenario: Scenario, ...args: readonly string[]): Promise<void> {
  await using child = new LockstepProcess([...args, "-c", scenario.configPath]);
  expect(await child.exited).toMatchObject({ code: 0 });
}

/** Commits a row; returns where the primary's log is then. */
async function commit(scenario: Scenario, id: number): Promise<string> {
  await scenario.onPrimary(`insert into items values (${id}, 'v')`);
  const [row] = await scenario.onPrimary<{ lsn: string }>("select pg_current_wal_insert_lsn()::text as lsn");
  return row?.lsn ?? "";
}

interface Told {
  readonly isWritten: boolean;
  readonly isFlushed: boolean;
  readonly isReplayed: boolean;
}

/** What the primary shows of our walsender, as to a position. */
async function toldOf(scenario: Scenario, lsn: string): Promise<Told> {
  const [row] = await execute<Told>(
    scenario.primaryUrl,
    `select write_lsn >= $1 as "isWritten", flush_lsn >= $1 as "isFlushed",
            coalesce(replay_lsn >= $1, false) as "isReplayed"
       from pg_stat_replication where application_name = $2`,
    [lsn, `lockstep_${scenario.pipeline}`],
  );
  return row ?? expect.unreachable();
}

async function expectTold(scenario: Scenario, lsn: string, told: Told): Promise<void> {
  await eventually("the primary has been told", async () =>
    expect(await toldOf(scenario, lsn)).toEqual(told),
  );
}

async function expectRow(url: string, id: number): Promise<void> {
  await eventually(`a replica has row ${id}`, async () =>
    expect(await execute(url, "select from items where id = $1", [id])).toHaveLength(1),
  );
}

const REPLICATED: Told = { isWritten: true, isFlushed: true, isReplayed: true };
const DURABLE: Told = { ...REPLICATED, isReplayed: false };

test("semi-sync, 2 of 3: the primary is told what two replicas have, whichever is paused, and what the log has", async () => {
  const extra = "mode: semi-sync\nminReplicasSync: 2";
  const scenario = await Scenario.create({ urls: await createDatabases(servers), extra });
  const third = scenario.replicaUrls[2] ?? "";
  await scenario.onPrimary("create table items (id int primary key, v text)");
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 3 });
  await tell(scenario, "pause", "replica-1");
  await expectTold(scenario, await commit(scenario, 1), REPLICATED);

  await tell(scenario, "pause", "replica-2");
  const lsns: string[] = [];
  for (const id of [2, 3]) {
    lsns.push(await commit(scenario, id));
    await expectRow(third, id);
  }
  for (const lsn of lsns) await expectTold(scenario, lsn, DURABLE);
  const report = await statusOf(run);
  expect(report).toMatchObject({ mode: "semi-sync", quorum: { needed: 2, of: 3 }, healthyReplicas: 1 });
  const samples = await metricsOf(run);
  expect(valueOf(samples, "replication_active", { mode: "semi-sync" })).toBe(1);
  expect(valueOf(samples, "replication_quorum_needed")).toBe(2);
  expect(valueOf(samples, "replication_quorum_replicas")).toBe(3);

  await tell(scenario, "resume", "replica-2");
  for (const lsn of lsns) await expectTold(scenario, lsn, REPLICATED);
  await expectRow(scenario.replicaUrls[1] ?? "", 3);
  expect(await execute(scenario.replicaUrls[0] ?? "", "select from items")).toEqual([]);
  await tell(scenario, "resume");
  await scenario.expectEqual();
});

test("sync: a replica that is disabled is left as it is and keeps nobody waiting; one that is paused does", async () => {
  const urls = await createDatabases(servers);
  const scenario = await Scenario.create({ urls, disabled: [2], extra: "mode: sync" });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  await expectTold(scenario, await commit(scenario, 1), REPLICATED);
  await tell(scenario, "pause", "replica-3");
  const lsn = await commit(scenario, 2);
  await expectRow(scenario.replicaUrls[0] ?? "", 2);
  await expectTold(scenario, lsn, DURABLE);
  const report = await statusOf(run);
  expect(report).toMatchObject({ mode: "sync", quorum: { needed: 2, of: 2 }, totalReplicas: 2 });
  expect(Object.values(report.replicas).map(({ state }) => state)).toEqual([
    "following",
    "disabled",
    "paused",
  ]);
  expect(valueOf(await metricsOf(run), "replica_connected", { replica: "replica-2" })).toBeUndefined();
  await tell(scenario, "resume");
  await expectTold(scenario, lsn, REPLICATED);
  expect(
    await execute(scenario.replicaUrls[1] ?? "", "select from pg_namespace where nspname = 'lockstep'"),
  ).toEqual([]);
});

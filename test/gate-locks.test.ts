import { afterEach, expect, test } from "vitest";
import { eventually, execute, openSession } from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { gateScenario, gated, letGo, turn, untilWaiting } from "./gate/gated.ts";
import { ownServers } from "./own-servers.ts";
import type { Scenario } from "./scenario.ts";

/* Commits that wait for a run, and hold what it may need: locks until they return, or the gate half set. */
const servers = ownServers(2);
const MAY_TAKE_MS = 20_000;

/** A test that fails leaves nobody waiting. */
afterEach(async () => await letGo(servers[0]));

const newScenario = async (): Promise<Scenario> => await gateScenario(servers);

async function expectReturned(work: Promise<unknown>): Promise<void> {
  const isReturned = work.then(() => true);
  const isLate = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), MAY_TAKE_MS).unref());
  expect(await Promise.race([isReturned, isLate])).toBe(true);
}

/** As the server's files have it, whether or not it has been read. */
async function written(scenario: Scenario): Promise<string[]> {
  const rows = await scenario.onPrimary<{ setting: string }>(
    "select setting from pg_file_settings where name = 'synchronous_standby_names'",
  );
  return rows.map(({ setting }) => setting);
}

const LOCKING = [
  "alter table items add column x int",
  "truncate items",
  "alter table parts add column x int",
  "truncate whole",
];

test.each(drawn(LOCKING, 2))(
  "a run starts while a commit that waits for it has a table locked: %s",
  async (sql) => {
    const scenario = await newScenario();
    await scenario.onPrimary("create table whole (v text); alter table whole replica identity full");
    await scenario.onPrimary("create table parts (id int primary key) partition by range (id)");
    await scenario.onPrimary("create table part partition of parts for values from (0) to (10)");
    const killed = await gated(scenario);
    killed.kill();
    await killed.exited;
    await using session = await openSession(scenario.primaryUrl);
    await session.query("set synchronous_commit = remote_apply");
    const waiting = session.query(sql);
    waiting.catch(() => undefined);
    await untilWaiting(scenario.primaryUrl);
    await using run = scenario.run();
    await expectReturned(waiting);
    await run.stop();
  },
);

test("a commit that has a table locked names what the run has to look up before it can go on", async () => {
  const scenario = await newScenario();
  await scenario.onPrimary(
    "create table whole (id int primary key, v text); alter table whole replica identity full",
  );
  await using run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  const key = "alter table whole drop constraint whole_pkey; alter table whole add primary key (v)";
  await expectReturned(
    session.query(`begin; insert into whole values (1, 'v'); ${key}; update whole set id = 2; commit`),
  );
  await scenario.expectEqual();
  await run.stop();
});

test.each([
  ["streams", false],
  ["starts", true],
])(
  "a key that a waiting commit dropped is none for the changes that follow in it: a run %s",
  async (_, isStarted) => {
    const scenario = await newScenario();
    await scenario.everywhere(
      "create table whole (id int constraint ids primary key, v text); alter table whole replica identity full",
    );
    await using run = await gated(scenario);
    await using session = await openSession(scenario.primaryUrl);
    await session.query("set synchronous_commit = remote_apply; insert into whole values (1, 'a')");
    await execute(scenario.replicaUrls[0] ?? "", "alter table whole drop constraint ids");
    if (isStarted) run.kill();
    if (isStarted) await run.exited;
    const twins = "insert into whole values (1, 'b'); delete from whole where v = 'a'";
    const waits = session.query(`begin; alter table whole drop constraint ids; ${twins}; commit`);
    if (isStarted) await untilWaiting(scenario.primaryUrl);
    await using next = isStarted ? scenario.run() : null;
    await expectReturned(waits);
    await session.query("update whole set v = 'c' where v = 'b'");
    await scenario.expectEqual({ timeoutMs: 10_000 });
    expect(scenario.conflicts).toEqual([]);
    await (next ?? run).stop();
  },
);

test("a type that a waiting commit made is looked up once it can be seen, and never written down as unknown", async () => {
  const scenario = await newScenario();
  const type = "create type mood as enum ('good'); alter table items add m mood";
  await execute(scenario.replicaUrls[0] ?? "", `create table items (id int primary key, v text); ${type}`);
  await using run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  await expectReturned(session.query(`begin; ${type}; insert into items values (1, 'v', 'good'); commit`));
  await run.waitForLog("a commit made a type that is needed");
  await expectReturned(session.query("insert into items values (2, 'v', 'good')"));
  await scenario.expectEqual();
  await run.stop();
});

test.each(drawn(["gate-noted", "gate-set"]))(
  "killed while it arms the gate (%s), the next run arms it",
  async (place) => {
    const scenario = await newScenario();
    await scenario.onPrimary("alter system set synchronous_standby_names = ''");
    const killed = scenario.run({ LOCKSTEP_FAILPOINT: place });
    await killed.waitForLog("tables are live");
    await turn(scenario, "on");
    expect(await killed.exited).toMatchObject({ signal: "SIGKILL" });
    await using run = scenario.run();
    await run.waitForLog("the gate is armed");
    await turn(scenario, "off");
    expect(await written(scenario)).toEqual([]);
    await run.stop();
  },
);

test("killed while it arms the gate, `gate off` leaves nothing that a restart of the primary would find", async () => {
  const scenario = await newScenario();
  const killed = scenario.run({ LOCKSTEP_FAILPOINT: "gate-set" });
  await killed.waitForLog("tables are live");
  await turn(scenario, "on");
  await killed.exited;
  expect(await written(scenario)).toHaveLength(1);
  await turn(scenario, "off");
  expect(await written(scenario)).toEqual([]);
});

test("a note that somebody has locked when a run is told to look at it is looked at again soon", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  run.kill("SIGSTOP"); // So that the note is locked before it hears of it.
  await turn(scenario, "on");
  await using holder = await openSession(scenario.primaryUrl);
  const key = `hashtextextended('lockstep_${scenario.pipeline} comment', 0)`;
  await holder.query(`begin; select pg_advisory_xact_lock(${key})`);
  run.kill("SIGCONT");
  const waiting = async (): Promise<number> =>
    (
      await holder.query(
        `select from pg_locks where locktype = 'advisory' and not granted
            and database = (select oid from pg_database where datname = current_database())`,
      )
    ).length;
  await eventually("it waits for the lock", async () => expect(await waiting()).toBe(1));
  await eventually("it has given up", async () => expect(await waiting()).toBe(0));
  await holder.query("rollback");
  await run.waitForLog("the gate is armed", { timeoutMs: 5_000 });
  await turn(scenario, "off");
  await run.stop();
});

test("a standby that somebody adds beside the gate stays when the gate goes", async () => {
  const scenario = await newScenario();
  await using run = await gated(scenario);
  await using local = await openSession(scenario.primaryUrl);
  await local.query("set synchronous_commit = local");
  await local.query(
    `alter system set synchronous_standby_names = 'ANY 2 (s1, "lockstep_${scenario.pipeline}")'`,
  );
  await local.query("select pg_reload_conf()");
  await turn(scenario, "off");
  expect(await written(scenario)).toEqual(['ANY 1 ("s1")']);
  await run.stop();
});

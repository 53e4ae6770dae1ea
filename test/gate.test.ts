import { afterEach, expect, test } from "vitest";
import { eventually, execute, lockTable, openSession } from "@lockstep/testkit";
import { command } from "./command.ts";
import { SETTING, gateScenario, gated, letGo, msOf, off, turn, untilWaiting } from "./gate/gated.ts";
import { ownServers } from "./own-servers.ts";
import type { Scenario } from "./scenario.ts";
import { get, metricsOf, statusOf, valueOf } from "./status-of.ts";
import { tokenNow } from "./token-now.ts";

/* Commits on the primary that wait for what the pipeline has confirmed. */
const servers = ownServers(3);

/** A test that fails leaves nobody waiting. */
afterEach(async () => await letGo(servers[0]));

const newScenario = async (extra?: string): Promise<Scenario> =>
  await gateScenario(servers, extra === undefined ? {} : { extra });

test("a commit returns when every replica of the quorum has it, and unpublished ones, and those of other databases, at once", async () => {
  const scenario = await newScenario();
  await scenario.onPrimary("create schema apart; create table apart.nobody (id int)");
  await using run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  for (let id = 1; id <= 50; id++) {
    await session.query(`insert into items values (${id}, 'v')`);
    for (const url of scenario.replicaUrls) {
      expect(await execute(url, `select id from items where id = ${id}`)).toEqual([{ id }]);
    }
  }
  for (let id = 1; id <= 5; id++) {
    expect(await msOf(session.query(`insert into apart.nobody values (${id})`))).toBeLessThan(1_000);
  }
  await using elsewhere = await openSession(servers[0]?.url("postgres") ?? "");
  await elsewhere.query("set synchronous_commit = remote_apply; create table if not exists other (id int)");
  expect(await msOf(elsewhere.query("insert into other values (1)"))).toBeLessThan(1_000);
  expect(await msOf(session.query("create index concurrently on items (v)"))).toBeLessThan(5_000);
  await using open = await openSession(scenario.primaryUrl); // On a primary that is quiet else.
  await open.query("begin; insert into items values (51, 'open')");
  const body = JSON.stringify({ token: await tokenNow(scenario, run), replicas: 2, timeoutMs: 5_000 });
  expect((await get(run, "/wait", { method: "POST", body })).status).toBe(200);
  await open.query("commit");
  await off(scenario);
  expect(await run.stop()).toEqual({ code: 0, signal: null });
});

test("with every process dead commits wait; a new run lets them go, and so does `gate off` within a second", async () => {
  const scenario = await newScenario();
  const killed = await gated(scenario);
  killed.kill();
  await killed.exited;
  await using session = await openSession(scenario.primaryUrl);
  const insert = session.query("insert into items values (1, 'waits')");
  await untilWaiting(scenario.primaryUrl);
  {
    await using run = scenario.run();
    await insert;
    await run.waitForLog("following", { count: 2 });
    run.kill();
    await run.exited;
  }
  const again = session.query("insert into items values (2, 'waits')");
  await untilWaiting(scenario.primaryUrl);
  let status = { text: "" };
  const startMs = await msOf(command(scenario, "gate", "status").then((said) => (status = said)));
  expect(status.text).toContain("no run lives");
  expect(status.text).toContain("commits that wait now: 1");
  // What a command takes to start, and to ask the primary, on this machine now.
  expect(await msOf(Promise.all([off(scenario), again]))).toBeLessThan(startMs + 1_000);
  await using run = scenario.run();
  await scenario.expectEqual();
  expect(await scenario.onPrimary(SETTING)).toEqual([{ setting: "" }]); // It stays off.
  await run.stop();
});

test("a lock that decoding needs is noticed, named and let go", async () => {
  const scenario = await newScenario();
  await using run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  expect(await msOf(session.query("vacuum full pg_catalog.pg_class"))).toBeLessThan(10_000);
  expect((await run.waitForLog("locks what is needed to decode it")).text).toContain("vacuum full");
  await session.query("insert into items values (1, 'after')");
  await off(scenario);
  await run.stop();
});

test("the primary shuts down and comes back with the gate armed", async () => {
  const scenario = await newScenario();
  await using run = await gated(scenario);
  const [primary] = servers;
  await scenario.onPrimary("insert into items values (1, 'before')");
  expect(await msOf(primary?.stop("fast") ?? Promise.resolve())).toBeLessThan(10_000);
  await primary?.start();
  await scenario.onPrimary("insert into items values (2, 'after')");
  await scenario.expectEqual();
  await off(scenario);
  await run.stop();
});

test("what commits waited for before is waited for besides, and left when the gate goes", async () => {
  const scenario = await newScenario();
  await scenario.onPrimary("alter system set synchronous_standby_names = 's1'");
  await scenario.onPrimary("select pg_reload_conf()");
  await using local = await openSession(scenario.primaryUrl);
  await local.query("set synchronous_commit = local");
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  expect((await command(scenario, "gate", "on")).text).toContain(
    `ANY 2 ("s1", "lockstep_${scenario.pipeline}")`,
  );
  await run.waitForLog("the gate is armed");
  expect((await command(scenario, "gate", "off")).code).toBe(0);
  expect(await local.query(SETTING)).toEqual([{ setting: "s1" }]);
  await scenario.onPrimary("alter system set synchronous_standby_names = 'ANY 1 (s1, s2)'");
  await scenario.onPrimary("select pg_reload_conf()");
  const refused = await command(scenario, "gate", "on");
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("gate-unavailable") });
  await scenario.onPrimary("alter system reset synchronous_standby_names");
  await scenario.onPrimary("select pg_reload_conf()");
  await run.stop();
});

test("two pipelines of one server arm at the same moment: commits wait for both, and each goes by itself", async () => {
  const [one, other] = await Promise.all([newScenario(), newScenario()]);
  const runs = await Promise.all([gated(one), gated(other)]);
  const names = async (): Promise<string> => JSON.stringify(await one.onPrimary(SETTING));
  for (const { pipeline } of [one, other]) expect(await names()).toContain(`lockstep_${pipeline}`);
  await one.onPrimary("insert into items values (1, 'for both')");
  runs[1].kill();
  await runs[1].exited;
  const waits = one.onPrimary("insert into items values (2, 'waits for the other')");
  await untilWaiting(one.primaryUrl);
  await turn(other, "off");
  await waits;
  expect(await names()).not.toContain(`lockstep_${other.pipeline}`);
  await off(one);
  await runs[0].stop();
});

test("taken out of the setting by hand, it stays out", async () => {
  const scenario = await newScenario();
  await using run = await gated(scenario);
  await scenario.onPrimary("alter system reset synchronous_standby_names");
  await scenario.onPrimary("select pg_reload_conf()");
  await run.waitForLog("taken out of synchronous_standby_names by somebody");
  expect((await command(scenario, "gate", "status")).text).toContain("the gate is off");
  await run.stop();
});

test("late replicas let commits go after a while, in a new run too, and hold them again once they have made up for it", async () => {
  const scenario = await newScenario("mode: semi-sync\nminReplicasSync: 2\ndegradeAfterMs: 1000");
  await using run = await gated(scenario);
  await using session = await openSession(scenario.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  await session.query("insert into items values (1, 'whole')");
  const lock = await lockTable(scenario.replicaUrls[0] ?? "", "items");
  const ms = await msOf(session.query("insert into items values (2, 'late')"));
  expect(ms).toBeGreaterThan(900);
  expect(ms).toBeLessThan(5_000);
  await run.waitForLog("replicas are late");
  await eventually("the command says so, too", async () =>
    expect((await command(scenario, "gate", "status")).text).toContain("replicas are late, and commits wait"),
  );
  expect(valueOf(await metricsOf(run), "replication_gate", { state: "degraded-replicas" })).toBe(1);
  expect((await statusOf(run)).primary.gate).toBe("degraded-replicas");
  expect(await msOf(session.query("insert into items values (3, 'waived')"))).toBeLessThan(1_000);
  await run.stop();
  const waits = session.query("insert into items values (5, 'waits')");
  await untilWaiting(scenario.primaryUrl);
  await using next = scenario.run();
  await waits;
  await next.waitForLog("replicas are late");
  await lock[Symbol.asyncDispose]();
  await next.waitForLog("replicas have made up for it");
  await eventually("the command says so, too", async () =>
    expect(await command(scenario, "gate", "status", "--json")).toMatchObject({
      text: expect.stringContaining('"state":"armed"'),
    }),
  );
  await session.query("insert into items values (4, 'whole')");
  for (const url of scenario.replicaUrls)
    expect(await execute(url, "select from items where id = 4")).toHaveLength(1);
  await off(scenario);
  await next.stop();
});

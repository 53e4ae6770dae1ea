import { createServer } from "node:net";
import { once } from "node:events";
import { expect, test } from "vitest";
import { eventually, execute, freePort, LockstepProcess, sharedKafka } from "@lockstep/testkit";
import { statusSchema } from "lockstep";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { expectAgreement, get, metricsOf, statusOf, valueOf } from "./status-of.ts";

/* What a running pipeline says of itself, beside what the servers say. */
const PASSWORD = "s3cretpassw0rd";
const NAMES = ["replica-1", "replica-2"];
const servers = ownServers(3);

async function newScenario(extra = "", listen?: string): Promise<Scenario> {
  const urls = await createDatabases(servers);
  const reachedAs = urls.map((url) => url.replace("postgres@", `postgres:${PASSWORD}@`));
  const common = { brokers: sharedKafka(), urls, reachedAs, extra };
  return await Scenario.create(listen === undefined ? common : { ...common, listen });
}

/** `status` with these arguments, until it has ended. */
async function askedWith(...args: readonly string[]): Promise<{ code: number | null; text: string }> {
  await using asked = new LockstepProcess(["status", ...args]);
  const { code } = await asked.exited;
  return { code, text: [...asked.output, ...asked.log.map((line) => line.text)].join("\n") };
}

test("status, metrics, consumer groups and rows agree, through a load, absent and halted replicas", async () => {
  const scenario = await newScenario();
  await scenario.everywhere("create table items (id int primary key, label text)");
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(`do $$ begin for n in 1..300 loop
      insert into items values (n, 'one'); update items set label = 'two' where id = n; commit;
    end loop; end $$`);
  await scenario.onPrimary("insert into items select n, repeat('x', 300) from generate_series(1001, 6000) n");
  const [before] = await scenario.onPrimary<{ at: string }>(
    "with changed as (update items set label = 'last' where id = 1 returning id) select pg_current_wal_lsn()::text as at from changed",
  );
  const changes = 300 * 2 + 5_000 + 1;
  await scenario.expectEqual();
  const report = await expectAgreement(scenario, run, sharedKafka());

  // The primary's last commit is in, and nothing that is not in its log.
  const [is] = await scenario.onPrimary(
    `select '${report.primary.position}'::pg_lsn > '${before?.at}'::pg_lsn as "isAbove",
            '${report.primary.position}'::pg_lsn <= pg_current_wal_lsn() as "isWithin"`,
  );
  expect(is).toEqual({ isAbove: true, isWithin: true });
  expect(report).toMatchObject({ pipeline: scenario.pipeline, mode: "async", state: "publishing" });
  expect(report.primary).toMatchObject({ name: "main", walStatus: "reserved" });
  expect(report.primary.stats).toMatchObject({ transactions: 302, events: changes });
  expect(report.primary.retainedBytes).toBeGreaterThanOrEqual(0);
  for (const name of NAMES) {
    const { stats } = report.replicas[name] ?? expect.unreachable();
    expect(stats).toMatchObject({ eventsProcessed: changes, eventsFailed: 0, conflicts: 0 });
    expect(stats.averageLagMs).toBeGreaterThan(0);
    expect(stats.averageLagMs).toBeLessThan(60_000);
  }

  const samples = await metricsOf(run);
  expect(valueOf(samples, "replication_primary_retained_bytes")).toBeGreaterThanOrEqual(0);
  expect(valueOf(samples, "replication_primary_wal_status", { status: "reserved" })).toBe(1);
  expect(valueOf(samples, "process_cpu_seconds_total")).toBeGreaterThan(0);
  for (const replica of NAMES) {
    expect(valueOf(samples, "replica_events_processed", { replica })).toBe(changes);
    expect(valueOf(samples, "replica_avg_lag_ms", { replica })).toBeGreaterThan(0);
  }
  for (const stage of ["decode", "append", "fetch", "apply", "ack"]) {
    expect(valueOf(samples, "replication_stage_seconds_count", { stage })).toBeGreaterThan(0);
  }

  expect(await (await get(run, "/healthz")).json()).toEqual({ alive: true });
  expect((await get(run, "/readyz")).status).toBe(200);
  expect((await get(run, "/nowhere")).status).toBe(404);
  const refused = await get(run, "/status", { method: "POST" });
  expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const url = await run.url();
  const table = await askedWith("--url", url);
  expect(table.code).toBe(0);
  expect(table.text).toContain("2 of 2 replicas healthy");
  expect(table.text).toMatch(/replica-2 +following +\S+ +0 +0 s +5,601 +0 +\d+\.\d ms/);
  const asJson = statusSchema.parse(JSON.parse((await askedWith("--url", url, "--json")).text));
  expect(asJson.replicas).toEqual((await statusOf(run)).replicas);
  await using watched = new LockstepProcess(["status", "--url", url, "--watch"]);
  await watched.waitForOutput("2 of 2 replicas healthy");
  watched.kill("SIGINT");
  expect(await watched.exited).toEqual({ code: 0, signal: null });

  await expectAbsentIsSeen(scenario, run);
  await expectHaltedIsSeen(scenario, run);
  for (const path of ["/status", "/metrics", "/readyz"]) {
    expect(await (await get(run, path)).text()).not.toContain(PASSWORD);
  }
  expect(run.log.map(({ text }) => text).join("\n")).not.toContain(PASSWORD);
  const startedMs = performance.now();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

/** First one replica, then both; they come back while nothing is written. */
async function expectAbsentIsSeen(scenario: Scenario, run: LockstepProcess): Promise<void> {
  const [, first, second] = servers;
  await second?.stop("immediate");
  await eventually("it is seen that one is away", async () => {
    const report = await statusOf(run);
    expect(report).toMatchObject({ active: true, healthyReplicas: 1, totalReplicas: 2 });
    expect(report.replicas["replica-2"]).toMatchObject({ connected: false, state: "waiting" });
    expect(report.replicas["replica-2"]?.error).toMatchObject({ code: "connection-lost" });
    expect(report.replicas["replica-1"]).toMatchObject({ connected: true, state: "following", queueSize: 0 });
  });
  expect((await get(run, "/readyz")).status).toBe(200); // One that follows is enough.
  await scenario.onPrimary("insert into items values (7001, 'one is away')");
  await eventually("how far it is behind grows", async () => {
    const { replicas } = await statusOf(run);
    expect(replicas["replica-1"]).toMatchObject({ queueSize: 0, lagSeconds: 0 });
    expect(replicas["replica-2"]?.queueSize).toBeGreaterThan(0);
    expect(replicas["replica-2"]?.lagSeconds).toBeGreaterThan(0.5);
    expect(replicas["replica-2"]?.lagSeconds).toBeLessThan(30);
  });
  await first?.stop("immediate");
  await eventually("without any it is not ready", async () => {
    const response = await get(run, "/readyz");
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      ready: false,
      reasons: ["replica replica-1 is waiting", "replica replica-2 is waiting"],
    });
  });
  await Promise.all([first?.start(), second?.start()]);
  await scenario.expectEqual();
  await expectAgreement(scenario, run, sharedKafka());
}

async function expectHaltedIsSeen(scenario: Scenario, run: LockstepProcess): Promise<void> {
  const [first = ""] = scenario.replicaUrls;
  await execute(first, "alter table items add constraint no_bad check (label <> 'bad')");
  await scenario.onPrimary("insert into items values (8001, 'bad')");
  await eventually("one is halted", async () => {
    const report = await statusOf(run);
    expect(report.healthyReplicas).toBe(1);
    expect(report.replicas["replica-1"]).toMatchObject({
      connected: false,
      state: "halted",
      error: { code: "apply-refused", fix: expect.stringContaining("constraint") },
      stats: { eventsFailed: 1 },
    });
    expect(report.replicas["replica-1"]?.queueSize).toBeGreaterThan(0);
    expect(report.replicas["replica-2"]).toMatchObject({ state: "following", lagSeconds: 0 });
  });
  const samples = await metricsOf(run);
  expect(valueOf(samples, "replica_connected", { replica: "replica-1" })).toBe(0);
  expect(valueOf(samples, "replica_state", { replica: "replica-1", state: "halted" })).toBe(1);
  expect(valueOf(samples, "replica_events_failed", { replica: "replica-1" })).toBe(1);
  const { text } = await askedWith("--url", await run.url());
  expect(text).toContain("replica-1: apply-refused: ");
  expect(text).toContain("fix: ");
}

test("an absent primary is seen, and one that is taken over by another run", async () => {
  const scenario = await newScenario();
  await scenario.everywhere("create table items (id int primary key)");
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await using other = scenario.run();
  await other.waitForLog("standing by");
  const standby = await get(other, "/readyz");
  expect(standby.status).toBe(503);
  expect(await standby.json()).toMatchObject({ reasons: ["another run holds the source; standing by"] });
  expect(await statusOf(other)).toMatchObject({ active: false, state: "standby", healthyReplicas: 0 });
  expect(valueOf(await metricsOf(other), "replication_active", { mode: "async" })).toBe(0);

  const [primary] = servers;
  await primary?.stop("immediate");
  await eventually("the primary is away, and what a replica may lack grows", async () => {
    const { primary: seen, replicas } = await statusOf(run);
    expect(seen).toMatchObject({ connected: false, error: { code: "connection-lost" } });
    expect(replicas["replica-1"]?.lagSeconds).toBeGreaterThan(0);
    expect((await get(run, "/readyz")).status).toBe(503);
  });
  await primary?.start();
  await eventually("one of the two goes on", async () => {
    const both = await Promise.all([run, other].map(async (one) => await statusOf(one)));
    expect(both.filter(({ active, primary: seen }) => active && seen.connected)).toHaveLength(1);
  });
});

test("a copy is seen on its way", async () => {
  const scenario = await newScenario("snapshot: { maxBytesPerSecond: 1000000 }");
  await scenario.onPrimary("create table items (id int primary key, label text)");
  await scenario.onPrimary("insert into items select n, repeat('x', 1000) from generate_series(1, 2000) n");
  await using run = scenario.run();
  const copying = await eventually("it says how far the copy is", async () => {
    const { replicas, healthyReplicas } = await statusOf(run);
    expect(healthyReplicas).toBe(0);
    const { state, copy } = replicas["replica-1"] ?? expect.unreachable();
    expect(state).toBe("copying");
    expect(copy?.bytes).toBeGreaterThan(0);
    expect(copy?.secondsLeft).toBeGreaterThan(0);
    return copy;
  });
  expect(copying).toMatchObject({ tables: 1, tablesDone: 0 });
  await scenario.expectEqual();
  const { replicas } = await expectAgreement(scenario, run, sharedKafka());
  expect(replicas["replica-1"]?.copy).toBeNull();
});

test("an address that is taken is named, with the key to change", async () => {
  const taker = createServer().listen({ host: "127.0.0.1", port: 0 });
  await once(taker, "listening");
  const address = taker.address();
  const listen = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  try {
    const scenario = await newScenario("", listen);
    await using run = scenario.run();
    expect(await run.exited).toEqual({ code: 1, signal: null });
    const text = run.log.map((line) => line.text).join("\n");
    expect(text).toContain('"code":"address-taken"');
    expect(text).toContain(`http.listen: ${listen} is taken by another process`);
    expect(text).toContain("--listen");
  } finally {
    taker.close();
  }
});

test("status without a running process says so, and what to do", async () => {
  const listen = `127.0.0.1:${await freePort()}`;
  // Who asks need not have the secrets of the rest.
  const scenario = await newScenario('snapshot: { existing: "${UNSET_BY_WHO_ASKS}" }', listen);
  const { code, text } = await askedWith("-c", scenario.configPath);
  expect(code).toBe(1);
  expect(text).toContain(`not-running: no running pipeline answers at http://${listen}: ECONNREFUSED`);
  expect(text).toContain("fix: start it with lockstep run");
  const off = await newScenario("", "off");
  const nowhere = await askedWith("-c", off.configPath);
  expect(nowhere.code).toBe(1);
  expect(nowhere.text).toContain("switched off");
});

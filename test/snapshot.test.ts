import { expect, test } from "vitest";
import {
  Bank,
  bankTables,
  eventually,
  execute,
  expectEqualDatabases,
  freshDatabase,
  openSession,
  sharedKafka,
  startPostgres,
  uniqueName,
  watchTotal,
  type LockstepProcess,
} from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { Scenario, type ScenarioOptions } from "./scenario.ts";

type Options = Omit<ScenarioOptions, "urls" | "brokers">;

async function newScenario(replicas = 1, options: Options = {}): Promise<Scenario> {
  const urls = await Promise.all([
    freshDatabase(0),
    ...Array.from({ length: replicas }, async () => await freshDatabase(1)),
  ]);
  return await Scenario.create({ brokers: sharedKafka(), urls, ...options });
}

/** The same pipeline with one replica more, which has nothing yet. */
async function withAnotherReplica(scenario: Scenario, options: Options = {}): Promise<Scenario> {
  const urls = [scenario.primaryUrl, ...scenario.replicaUrls, await freshDatabase(1)];
  return await Scenario.create({ brokers: sharedKafka(), urls, pipeline: scenario.pipeline, ...options });
}

const ITEMS = `create table items (id int primary key, label text, at timestamptz default now());
  insert into items select g, 'label ' || g from generate_series(1, 20000) g;`;

const live = async (run: LockstepProcess, count: number): Promise<unknown> =>
  await run.waitForLog("tables are live", { count });

test("rows that are there are copied into replicas that have nothing, and what follows arrives", async () => {
  const scenario = await newScenario(2);
  await scenario.onPrimary(ITEMS);
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(
    "update items set label = 'later' where id % 7 = 0; delete from items where id % 11 = 0",
  );
  await scenario.expectEqual();
  await live(run, 2);
  expect(scenario.conflicts).toEqual([]);
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  await using next = scenario.run(); // Nothing is copied again.
  await next.waitForLog("following", { count: 2 });
  expect(next.log.filter(({ text }) => text.includes("copying tables"))).toEqual([]);
});

test("another replica is added under load, and its first whole transaction is never torn", async () => {
  const first = await newScenario(1);
  await first.onPrimary(bankTables("postgres"));
  const bank = new Bank(first.primaryUrl, { accounts: 200, clients: 4, pauseMs: 2 });
  await bank.open();
  await using one = first.run();
  await one.waitForLog("following");
  const stop = new AbortController();
  const working = bank.run(stop.signal);
  await eventually("the bank works", async () => expect(bank.transfers).toBeGreaterThan(500));
  await one.stop();
  const scenario = await withAnotherReplica(first);
  await using two = scenario.run();
  await two.waitForLog("copying tables");
  await live(two, 1);
  const watching = scenario.replicaUrls.map(async (url) => await watchTotal(url, bank.total, stop.signal));
  const before = bank.transfers;
  await eventually("it goes on", async () => expect(bank.transfers).toBeGreaterThan(before + 500));
  stop.abort();
  await working;
  for (const { reads, wrong } of await Promise.all(watching)) {
    expect(wrong).toEqual([]);
    expect(reads).toBeGreaterThan(10);
  }
  await scenario.expectEqual();
  expect([...first.conflicts, ...scenario.conflicts]).toEqual([]);
});

test("transactions that are open all the while, prepared ones too, neither wait nor are lost", async () => {
  const first = await newScenario(1);
  await first.onPrimary(ITEMS);
  await using one = first.run();
  await one.waitForLog("following");
  await one.stop();
  const open = await openSession(first.primaryUrl);
  const name = uniqueName("prepared");
  await open.query(
    "begin; update items set label = 'open' where id < 50; insert into items values (-1, 'open')",
  );
  await first.onPrimary(
    `begin; update items set label = 'prepared' where id between 100 and 150; insert into items values (-2, 'prepared');
     prepare transaction '${name}'`,
  );
  const reader = await openSession(first.primaryUrl);
  await reader.query("begin isolation level repeatable read; select count(*) from items");
  const scenario = await withAnotherReplica(first);
  await using two = scenario.run();
  await live(two, 1);
  await two.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (-3, 'between')");
  await scenario.expectEqual();
  await open.query("insert into items values (-4, 'open'); commit");
  await scenario.onPrimary(`commit prepared '${name}'`);
  await reader.query("commit");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  await Promise.all([open, reader].map(async (session) => await session[Symbol.asyncDispose]()));
});

test("a commit that is in the log and not yet visible is in no copy, and is not lost", async () => {
  await using server = await startPostgres();
  const [primary, replica] = [server.url("postgres"), await freshDatabase(1)];
  const first = await Scenario.create({ brokers: sharedKafka(), urls: [primary, replica] });
  await first.onPrimary(ITEMS);
  await using one = first.run();
  await one.waitForLog("following");
  // The commit waits for a standby that does not exist: it is in the WAL, and nobody sees it.
  await server.query("alter system set synchronous_standby_names = 'nobody'");
  await server.query("select pg_reload_conf()");
  const waiting = await openSession(primary);
  const committed = waiting.query("insert into items values (-1, 'waits'), (-2, 'waits')");
  await eventually("it has arrived", async () =>
    expect(await execute(replica, "select from items where id < 0")).toHaveLength(2),
  );
  expect(await server.query("select from items where id < 0")).toEqual([]);
  await one.stop();
  const scenario = await withAnotherReplica(first);
  await using two = scenario.run();
  await live(two, 1);
  const [, added = ""] = scenario.replicaUrls;
  await eventually("it has arrived there too", async () =>
    expect(await execute(added, "select from items where id < 0")).toHaveLength(2),
  );
  await server.query("alter system reset synchronous_standby_names");
  await server.query("select pg_reload_conf()");
  await committed;
  await waiting[Symbol.asyncDispose]();
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("a large transaction just before a copy, and one just after its view, are there once", async () => {
  const first = await newScenario(1);
  await first.onPrimary(ITEMS);
  await using one = first.run();
  await one.waitForLog("following");
  await first.onPrimary(
    "insert into items select g, repeat('x', 300) from generate_series(100000, 110000) g",
  );
  await one.stop();
  const later = await openSession(first.primaryUrl);
  await later.query("begin; update items set label = repeat('y', 300) where id > 100000");
  const scenario = await withAnotherReplica(first);
  await using two = scenario.run();
  await two.waitForLog("copying tables");
  await later.query("commit");
  await scenario.expectEqual();
  await live(two, 1);
  expect(scenario.conflicts).toEqual([]);
  await later[Symbol.asyncDispose]();
});

const STEPS: readonly (readonly [failpoint: string, count: number])[] = [
  ["copy-begun", 1],
  ["range-copied", 2],
  ["table-copied", 1],
  ["table-copied", 3],
  ["copy-ended", 1],
  ["tables-completed", 1],
];

test.each(drawn(STEPS, 3))(
  "killed at %s:%d, a copy is resumed: what was done stays",
  async (failpoint, count) => {
    const scenario = await newScenario(1);
    await scenario.onPrimary(
      `${ITEMS} create table other (id bigserial primary key, item int references items, unique (item, id));
     insert into other (item) select g from generate_series(1, 5000) g;
     create table third (id int primary key, v numeric check (v > 0)); insert into third values (1, 1.10)`,
    );
    {
      await using run = scenario.run({ LOCKSTEP_FAILPOINT: `${failpoint}:${count}` });
      expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
    }
    await scenario.onPrimary(
      "delete from other where id % 3 = 0; update items set label = 'meanwhile' where id % 5 = 0; insert into third values (2, 2)",
    );
    await using run = scenario.run();
    await live(run, 1);
    await scenario.onPrimary("insert into other (item) values (7)");
    await scenario.expectEqual();
    expect(scenario.conflicts).toEqual([]);
    const [replica = ""] = scenario.replicaUrls;
    const constraints = `select conrelid::regclass::text as on, contype, pg_get_constraintdef(oid) as is from pg_constraint
    where connamespace = 'public'::regnamespace order by 1, 2, 3`;
    expect(await execute(replica, constraints)).toEqual(await scenario.onPrimary(constraints));
    expect(await execute(replica, "select last_value from other_id_seq")).not.toEqual([{ last_value: "1" }]);
    expect(await execute(replica, "select distinct state, joins from lockstep.tables")).toEqual([
      { state: "live", joins: false },
    ]);
  },
);

test("a table that is truncated or rewritten while it is copied is copied again", async () => {
  const scenario = await newScenario(1, { extra: "snapshot: { maxBytesPerSecond: 400000, parallel: 1 }" });
  await scenario.onPrimary(
    `create table first (id int primary key, filler text);
     insert into first select g, repeat('x', 200) from generate_series(1, 5000) g;
     create table second (id int primary key, v int); insert into second select g, g from generate_series(1, 1000) g`,
  );
  await using run = scenario.run();
  await run.waitForLog("copying tables"); // The view is there, and the large table comes first.
  await scenario.onPrimary("truncate second; insert into second values (-1, 1)");
  await run.waitForLog("was rewritten or truncated while it was copied");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("a rate limit is kept, and the status tells how far it is", async () => {
  const scenario = await newScenario(1, { extra: "snapshot: { maxBytesPerSecond: 500000 }" });
  await scenario.onPrimary(
    "create table items (id int primary key, filler text); insert into items select g, repeat('x', 1000) from generate_series(1, 3000) g",
  );
  await using run = scenario.run();
  const startedMs = performance.now();
  await run.waitForLog("copied tables");
  const seconds = (performance.now() - startedMs) / 1_000;
  expect(seconds).toBeGreaterThan(4); // 3 MB.
  await scenario.expectEqual();
});

/** A pipeline whose topic has forgotten its beginning. */
async function trimmedScenario(): Promise<Scenario> {
  const first = await newScenario(1, { extra: "retention: { hours: 0.0003 }" });
  await first.onPrimary(ITEMS);
  for (const id of [-1, -2]) {
    await using again = first.run(); // A fresh `open`, so that what lies before it can go.
    await again.waitForLog("following");
    await first.onPrimary(`insert into items values (${id}, 'old')`);
    await first.expectEqual();
    await again.stop();
  }
  return first;
}

async function trim(scenario: Scenario): Promise<void> {
  await using last = scenario.run();
  await last.waitForLog("trimmed the log", { timeoutMs: 30_000 });
  await last.stop();
}

test("a replica that is added when the topic has been trimmed begins with what is left of it", async () => {
  const first = await trimmedScenario();
  await trim(first);
  const scenario = await withAnotherReplica(first);
  await using two = scenario.run();
  await live(two, 1);
  await scenario.onPrimary("insert into items values (-3, 'new')");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("a copy waits for a transaction that is older than what is left of the topic", async () => {
  const first = await trimmedScenario();
  const old = await openSession(first.primaryUrl);
  await old.query("begin; insert into items values (-3, 'old')");
  await trim(first); // Had it waited in its commit all the while, it would be trimmed, and in no view.
  const scenario = await withAnotherReplica(first);
  await using two = scenario.run();
  await two.waitForLog("waiting for the transactions that run on the primary");
  await old.query("commit");
  await live(two, 1);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  await old[Symbol.asyncDispose]();
});

test("without any word of a replica's progress, rows that were copied are not copied over (A2)", async () => {
  const scenario = await newScenario(1);
  await scenario.onPrimary(ITEMS);
  {
    await using run = scenario.run();
    await live(run, 1);
  }
  const [replica = ""] = scenario.replicaUrls;
  await execute(replica, "delete from lockstep.progress");
  {
    await using run = scenario.run();
    await run.waitForLog("progress-missing");
  }
  await execute(replica, "drop schema lockstep cascade");
  await using run = scenario.run();
  const refused = await run.waitForLog("table-not-empty");
  expect(refused.text).toContain("public.items");
  expect(refused.text).toContain("snapshot.existing");
  await execute(replica, "truncate items"); // It goes on by itself once that is mended.
  await eventually("it is copied", async () => await expectEqualDatabases(scenario.primaryUrl, replica), {
    timeoutMs: 30_000,
  });
});

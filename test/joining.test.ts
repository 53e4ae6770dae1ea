import { expect, test } from "vitest";
import { eventually, execute, lockTable, openSession, type LockstepProcess } from "@lockstep/testkit";
import { ownServers } from "./own-servers.ts";
import { drawn } from "./drawn.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* Tables that come while a pipeline runs. */
const servers = ownServers(3);

async function newScenario(extra = ""): Promise<Scenario> {
  const scenario = await Scenario.create({ urls: await createDatabases(servers), extra });
  await scenario.onPrimary("create table items (id int primary key, v text)");
  return scenario;
}

const joined = async (run: LockstepProcess, count: number): Promise<unknown> =>
  await run.waitForLog("tables joined the replica", { count, timeoutMs: 30_000 });

test("a new table is taken in by itself, with the rows that were there before, under load", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  const stop = new AbortController();
  const working = (async (): Promise<void> => {
    await scenario.onPrimary("create table late (id serial primary key, item int, v text)");
    for (let id = 0; !stop.signal.aborted; id++) {
      await scenario.onPrimary(
        `begin; insert into items values (${id}, 'v'); insert into late (item) values (${id});
         update late set v = 'again' where id = ${Math.floor(id / 2)}; commit`,
      );
    }
  })();
  await joined(run, 2);
  await run.waitForLog("tables are live", { count: 4 });
  stop.abort();
  await working;
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("what a transaction changed before the table was published is in the copy, though it commits later", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("create table late (id int primary key, v text)");
  const open = await openSession(scenario.primaryUrl);
  await open.query("begin; insert into late values (1, 'before')");
  await run.waitForLog("waiting for transactions before a copy", { timeoutMs: 30_000 });
  await open.query("insert into late values (2, 'after')");
  await scenario.onPrimary(
    "insert into late values (3, 'meanwhile'); insert into items values (1, 'meanwhile')",
  );
  const [replica = ""] = scenario.replicaUrls;
  await eventually("the others go on", async () =>
    expect(await execute(replica, "select from items")).toHaveLength(1),
  );
  await open.query("commit");
  await joined(run, 2);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  await open[Symbol.asyncDispose]();
});

test("a table that is dropped and made again is another one", async () => {
  const scenario = await newScenario();
  await scenario.onPrimary("insert into items values (1, 'former'), (2, 'former')");
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  await scenario.onPrimary(
    "drop table items; create table items (id int primary key, v text); insert into items values (2, 'new'), (3, 'new')",
  );
  await joined(run, 2);
  await scenario.onPrimary(
    "insert into items values (4, 'new'); update items set v = 'changed' where id = 2",
  );
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

const STEPS = ["range-copied:1", "table-copied:1", "table-passed:1", "table-joined:1", "tables-completed:1"];

test.each(drawn(STEPS))("killed at %s, a joining table is resumed", async (failpoint) => {
  const scenario = await newScenario();
  {
    await using run = scenario.run();
    await run.waitForLog("tables are live", { count: 2 });
  }
  await using run = scenario.run({ LOCKSTEP_FAILPOINT: failpoint });
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(
    "create table late (id int primary key, v text); insert into late select g, 'v' from generate_series(1, 2000) g",
  );
  expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
  await scenario.onPrimary("update late set v = 'w' where id % 2 = 0; delete from late where id % 3 = 0");
  await using next = scenario.run();
  await next.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into late values (-1, 'after')");
  await scenario.expectEqual();
  for (const url of scenario.replicaUrls) {
    await eventually("it is live", async () =>
      expect(await execute(url, "select distinct state, joins from lockstep.tables")).toEqual([
        { state: "live", joins: false },
      ]),
    );
  }
  expect(scenario.conflicts).toEqual([]);
});

/** A table is copied, and has changed since, when the run that copied it is killed. */
async function killedAfterCopy(scenario: Scenario, create: string): Promise<void> {
  {
    await using run = scenario.run();
    await run.waitForLog("tables are live", { count: 2 });
  }
  await using run = scenario.run({ LOCKSTEP_FAILPOINT: "table-copied:2" });
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(create);
  expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
}

test("while a table catches up, the replica's others go on", async () => {
  const scenario = await newScenario();
  await killedAfterCopy(scenario, "create table late (id int primary key); insert into late values (1)");
  await scenario.onPrimary("insert into late values (2)");
  const locks = await Promise.all(scenario.replicaUrls.map(async (url) => await lockTable(url, "late")));
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (1, 'meanwhile')");
  for (const url of scenario.replicaUrls) {
    await eventually("the others go on", async () =>
      expect(await execute(url, "select from items")).toHaveLength(1),
    );
    expect(await execute(url, "select distinct joins from lockstep.tables where state = 'copied'")).toEqual([
      { joins: true },
    ]);
  }
  for (const lock of locks) await lock[Symbol.asyncDispose]();
  await joined(run, 2);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("killed between two steps of a catch-up, nothing is applied twice", async () => {
  const scenario = await newScenario();
  // Without a key a row that comes twice is there twice.
  const create = "create table late (id int, v text); alter table late replica identity full";
  for (const url of scenario.replicaUrls) await execute(url, create);
  {
    await using run = scenario.run({ LOCKSTEP_FAILPOINT: "table-advanced:3" });
    await run.waitForLog("tables are live", { count: 2 });
    const locks = await Promise.all(scenario.replicaUrls.map(async (url) => await lockTable(url, "late")));
    await scenario.onPrimary(create);
    for (const url of scenario.replicaUrls) {
      await eventually("its copy has begun", async () =>
        expect(await execute(url, "select from pg_locks where not granted")).toHaveLength(1),
      );
    }
    // A step takes about 1 MB of 6 MB, and the replicas are past all of it before the first one.
    for (let id = 1; id <= 20; id++) {
      await scenario.onPrimary(
        `insert into late select g, repeat('v', 1000) from generate_series(1, 300) g; insert into items values (${id}, 'v')`,
      );
    }
    for (const url of scenario.replicaUrls) {
      await eventually("the others went on", async () =>
        expect(await execute(url, "select from items")).toHaveLength(20),
      );
    }
    for (const lock of locks) await lock[Symbol.asyncDispose]();
    expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
  }
  const late = await Promise.all(
    scenario.replicaUrls.map(async (url) => (await execute(url, "select from late")).length),
  );
  expect(late.some((rows) => rows > 0 && rows < 6_000)).toBe(true);
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("delete from late where id = 7");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("a table that was made, filled and dropped again while a replica was away is nothing to it", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  const [, , away] = servers;
  await away?.stop("immediate");
  await scenario.onPrimary("create table brief (id int primary key)");
  await run.waitForLog("took new tables in", { timeoutMs: 30_000 });
  for (let id = 0; id < 20; id++) await scenario.onPrimary(`insert into brief values (${id})`);
  await joined(run, 1);
  const [replica = ""] = scenario.replicaUrls;
  await eventually("it has arrived", async () =>
    expect(await execute(replica, "select from brief")).toHaveLength(20),
  );
  await scenario.onPrimary("drop table brief; insert into items values (1, 'after')");
  await execute(replica, "drop table brief");
  await away?.start();
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  expect(run.log.filter(({ text }) => text.includes("new tables in the topic")).length).toBeLessThan(6);
});

test("a replica that was away when a table came copies it when it is back", async () => {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  const [, , away] = servers;
  await away?.stop("immediate");
  await scenario.onPrimary(
    "create table late (id int primary key, v text); insert into late values (1, 'early')",
  );
  await joined(run, 1);
  await scenario.onPrimary("insert into late values (2, 'second'); delete from late where id = 1");
  await away?.start();
  await joined(run, 2);
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

test("one transaction with changes on both sides of a RENAME fits no replica: the table is copied anew", async () => {
  const scenario = await newScenario();
  await scenario.onPrimary("insert into items values (1, 'before')");
  await using run = scenario.run();
  await run.waitForLog("tables are live", { count: 2 });
  const rename = "alter table items rename column v to w";
  await scenario.onPrimary(
    `begin; update items set v = 'on one side'; ${rename}; update items set w = 'on the other'; commit`,
  );
  const { text } = await run.waitForLog("One table anew", { timeoutMs: 30_000 });
  expect(text).toMatch(/column w is missing, in transaction \d+ at .* \(record \d+\)/);
  for (const url of scenario.replicaUrls) await execute(url, rename);
  await run.waitForLog("column v is missing", { timeoutMs: 30_000 });
  await scenario.onPrimary(`alter publication lockstep_${scenario.pipeline} drop table items`);
  await joined(run, 2);
  await scenario.onPrimary("insert into items values (2, 'after')");
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
});

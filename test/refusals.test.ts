import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  LockstepProcess,
  sharedKafka,
  startPostgres,
  withAdmin,
} from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

const TABLE = "create table items (id int primary key, label text)";

async function newScenario(replicas = 1): Promise<Scenario> {
  const urls = await Promise.all([
    freshDatabase(0),
    ...Array.from({ length: replicas }, async () => await freshDatabase(1)),
  ]);
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await scenario.everywhere(TABLE);
  return scenario;
}

/** A pipeline that has replicated a row and was stopped cleanly. */
async function usedScenario(): Promise<Scenario> {
  const scenario = await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items values (1, 'one')");
  await scenario.expectEqual();
  await run.stop();
  return scenario;
}

async function expectRefusal(run: LockstepProcess, code: string, ...words: readonly string[]): Promise<void> {
  const { code: exitCode } = await run.exited;
  const last = run.log.map((line) => line.text).join("\n");
  expect(last).toContain(code);
  for (const word of words) expect(last).toContain(word);
  expect(last).toContain("fix");
  expect(exitCode).toBe(1);
}

test.each([
  ["has no primary key", "create table keyless (v int)", "public.keyless"],
  [
    "has replica identity nothing",
    "create table mute (id int primary key); alter table mute replica identity nothing",
    "public.mute",
  ],
  ["is unlogged", "create unlogged table quick (id int primary key)", "public.quick"],
  [
    "a deferrable primary key",
    "create table late (id int primary key deferrable initially deferred)",
    "public.late",
  ],
  [
    "a generated column in its primary key",
    "create table doubled (id int, twice int generated always as (id * 2) stored primary key)",
    "public.doubled",
  ],
  [
    "has replica identity full and a generated column",
    `create table doubling (id int primary key, twice int generated always as (id * 2) stored);
     alter table doubling replica identity full`,
    "public.doubling",
  ],
  [
    "unlogged or whose",
    `create table spread (id int primary key) partition by range (id);
     create unlogged table spread_1 partition of spread default`,
    "public.spread_1",
  ],
  [
    "has a partition",
    `create table parts (id int primary key) partition by range (id);
     create table part_1 partition of parts default; alter table part_1 replica identity nothing`,
    "public.part_1",
  ],
])("a table that %s is refused by name", async (reason, sql, name) => {
  const scenario = await newScenario();
  await scenario.everywhere(sql);
  await using run = scenario.run();
  await expectRefusal(run, "table-not-supported", name, reason);
  expect(
    await scenario.onPrimary("select 1 from pg_replication_slots where database = current_database()"),
  ).toEqual([]);
});

test("a replica's table with rows, or of another shape, halts that replica alone, by name", async () => {
  const scenario = await newScenario(3);
  const [full = "", absent = "", other = ""] = scenario.replicaUrls;
  await execute(full, "insert into items values (1, 'mine')");
  await execute(absent, "drop table items");
  await execute(other, "alter table items alter column label type varchar(5)");
  await using run = scenario.run();
  await run.waitForLog("replica-1 has rows already");
  await run.waitForLog("column label is character varying(5), on the primary text");
  await run.waitForLog("following"); // The one that lacked the table has got it.
  await scenario.onPrimary("insert into items values (7, 'seven')");
  await eventually("it has arrived", async () => {
    expect(await execute(absent, "select * from items")).toEqual([{ id: 7, label: "seven" }]);
  });
  expect(run.hasExited).toBe(false);
  await execute(full, "delete from items"); // Each goes on by itself once it is mended.
  await execute(other, "alter table items alter column label type text");
  await scenario.expectEqual();
});

test("a slot that was dropped is a gap, not a fresh start", async () => {
  const scenario = await usedScenario();
  await scenario.onPrimary(`select pg_drop_replication_slot('lockstep_${scenario.pipeline}')`);
  await scenario.onPrimary("insert into items values (2, 'unseen')");
  await using run = scenario.run();
  await expectRefusal(run, "slot-missing");
});

test("a slot that was advanced by hand is a gap", async () => {
  const scenario = await usedScenario();
  await scenario.onPrimary("insert into items values (2, 'skipped')");
  await scenario.onPrimary(
    `select pg_replication_slot_advance('lockstep_${scenario.pipeline}', pg_current_wal_lsn())`,
  );
  await using run = scenario.run();
  await expectRefusal(run, "slot-ahead");
});

test("a topic that was deleted under replicas with progress is an error, with and without its slot", async () => {
  const scenario = await usedScenario();
  await deleteTopic(scenario);
  {
    await using run = scenario.run();
    await expectRefusal(run, "progress-without-history", "replica-1");
  }
  await deleteTopic(scenario);
  await scenario.onPrimary(`select pg_drop_replication_slot('lockstep_${scenario.pipeline}')`);
  await scenario.onPrimary("truncate items");
  await using run = scenario.run();
  await expectRefusal(run, "progress-without-history", "replica-1");
});

test("a progress row that was deleted does not start a filled replica from now, nor copy over it", async () => {
  const scenario = await usedScenario();
  await execute(scenario.replicaUrls[0] ?? "", "delete from lockstep.progress");
  await using run = scenario.run();
  const halted = await run.waitForLog("progress-missing");
  expect(halted.text).toContain("delete from lockstep.tables where pipeline");
  expect(await execute(scenario.replicaUrls[0] ?? "", "select * from lockstep.progress")).toEqual([]);
  expect(await execute(scenario.replicaUrls[0] ?? "", "select id from items")).toEqual([{ id: 1 }]);
});

test("another server under the same name is refused", async () => {
  const scenario = await usedScenario();
  await using server = await startPostgres({ isOfItsOwn: true });
  const database = new URL(scenario.primaryUrl).pathname.slice(1);
  await server.query(`create database ${database}`);
  const other = server.url(database); // Only its system identifier is another.
  await execute(other, TABLE);
  const moved = await Scenario.create({
    brokers: sharedKafka(),
    urls: [other, ...scenario.replicaUrls],
    pipeline: scenario.pipeline,
  });
  await execute(other, `create publication lockstep_${scenario.pipeline} for table items`);
  await execute(
    other,
    `select pg_create_logical_replication_slot('lockstep_${scenario.pipeline}', 'pgoutput')`,
  );
  await using run = moved.run();
  await expectRefusal(run, "server-changed");
});

test("a slot that somebody else made is not trusted", async () => {
  const scenario = await newScenario();
  await scenario.onPrimary(
    `select pg_create_logical_replication_slot('lockstep_${scenario.pipeline}', 'pgoutput')`,
  );
  await using run = scenario.run();
  await expectRefusal(run, "slot-not-ours");
});

test("what a replica refuses halts it with table and key, and drift is counted", async () => {
  const scenario = await newScenario(2);
  const [strict = "", drifted = ""] = scenario.replicaUrls;
  await execute(strict, "alter table items add check (id < 100)");
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (1, 'one'), (2, 'two')");
  await scenario.expectEqual();
  await execute(
    drifted,
    "delete from items where id = 1; update items set label = 'mine' where id = 2; insert into items values (3, 'early')",
  );
  await scenario.onPrimary(
    "update items set label = 'ONE' where id = 1; insert into items values (3, 'three'); delete from items where id = 2",
  );
  await scenario.expectEqual();
  const conflicts = run.log.filter((line) => line.msg.startsWith("conflict:"));
  expect(conflicts.map((line) => line.msg)).toEqual([
    "conflict: an update found no row",
    "conflict: an insert found the row there",
  ]);
  expect(conflicts.map((line) => line.text).join()).not.toContain("early"); // S1
  await scenario.onPrimary("insert into items values (100, 'secret text')");
  const halted = await run.waitForLog("apply-refused");
  expect(halted.text).toContain("id=100");
  expect(halted.text).not.toContain("secret text");
  await eventually("the other replica goes on", async () => {
    expect(await execute(drifted, "select 1 from items where id = 100")).toHaveLength(1);
  });
});

test("wrong configurations exit with 2 and name the key, its line and the fix", async () => {
  const scenario = await Scenario.create({
    brokers: ["nonsense"],
    urls: ["postgres://u:s3cret@h/db"],
    extra: "colour: red",
  });
  await using run = scenario.run();
  expect(await run.exited).toEqual({ code: 2, signal: null });
  const text = run.log.map((line) => line.text).join("\n");
  expect(text).toContain("log.kafka.brokers.0 (line 2)");
  expect(text).toContain("colour");
  expect(text).not.toContain("s3cret");
});

test("a file that is not YAML is refused with line and column, and without the line", async () => {
  const scenario = await newScenario();
  for (const replicas of [
    "replicas:\n  - { name: r, engine: postgres, url: 'postgres://u:s3cret@h/db'",
    "replicas:\n  - name: r\n    url: postgres://u:s3cret: more@h/db",
  ]) {
    await writeFile(scenario.configPath, `pipeline: shop\n${replicas}\n`);
    await using run = scenario.run();
    expect(await run.exited).toEqual({ code: 2, signal: null });
    const text = run.log.map((line) => line.text).join("\n");
    expect(text).toMatch(/line \d+, column \d+: not YAML/);
    expect(text).not.toContain("s3cret");
  }
});

test("a database that would follow itself is refused, by whatever name it is reached", async () => {
  const primary = await freshDatabase(0);
  await execute(primary, TABLE);
  const byAnotherName = primary.replace("127.0.0.1", "localhost");
  expect(byAnotherName).not.toBe(primary);
  const twice = await Scenario.create({ brokers: sharedKafka(), urls: [primary, primary] });
  await using refused = twice.run();
  expect(await refused.exited).toEqual({ code: 2, signal: null });
  const itself = await Scenario.create({ brokers: sharedKafka(), urls: [primary, byAnotherName] });
  await using run = itself.run();
  expect(await run.exited).toEqual({ code: 2, signal: null });
  expect(run.log.map(({ text }) => text).join("\n")).toContain("replica replica-1 is the primary itself");
});

test("a password never reaches the log", async () => {
  const scenario = await newScenario();
  const withPassword = (url: string): string => url.replace("postgres@", "postgres:s3cretpassw0rd@");
  const secret = await Scenario.create({
    brokers: sharedKafka(),
    urls: [withPassword(scenario.primaryUrl), `${withPassword(scenario.replicaUrls[0] ?? "")}_absent`],
  });
  await using run = new LockstepProcess([
    "run",
    "-c",
    secret.configPath,
    "--log-format",
    "json",
    "--log-level",
    "debug",
  ]);
  await run.waitForLog("does not exist");
  expect(run.log.map((line) => line.text).join("\n")).not.toContain("s3cret");
});

async function deleteTopic(scenario: Scenario): Promise<void> {
  const topic = `lockstep.${scenario.pipeline}`;
  await withAdmin(sharedKafka(), async (admin) => await admin.deleteTopics({ topics: [topic] }));
  await eventually("the topic is gone", async () => {
    const names = await withAdmin(sharedKafka(), async (admin) => await admin.listTopics());
    if (names.includes(topic)) throw new Error(`${topic} is still there`);
  });
}

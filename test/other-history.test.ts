import { afterEach, beforeEach, expect, test } from "vitest";
import {
  FileBackup,
  freshDatabase,
  sharedKafka,
  startOnNewTimeline,
  startPostgres,
  type LockstepProcess,
  type PostgresServer,
} from "@lockstep/testkit";
import { createDatabases, Scenario } from "./scenario.ts";

/* A primary that comes back with another history than the one it told before (A2). */
let primary: PostgresServer;
let scenario: Scenario;

beforeEach(async () => {
  primary = await startPostgres();
  const urls = [...(await createDatabases([primary])), await freshDatabase(1)];
  scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await scenario.everywhere("create table items (id int primary key, label text)");
  await replicate("insert into items values (1, 'one')");
});

afterEach(async () => {
  await primary[Symbol.asyncDispose]();
});

/** Runs until the replica has what `sql` changes; returns the run's words. */
async function replicate(sql: string): Promise<string> {
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary(sql);
  await scenario.expectEqual();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  return wordsOf(run);
}

const wordsOf = (run: LockstepProcess): string => run.log.map(({ text }) => text).join("\n");

async function expectRefusal(code: string, ...words: readonly string[]): Promise<void> {
  await using run = scenario.run();
  expect(await run.exited).toEqual({ code: 1, signal: null });
  for (const word of [code, "fix", ...words]) expect(wordsOf(run)).toContain(word);
}

/** Far enough that every position of the topic lies behind, with other transactions than it knows. */
async function writeAnotherHistory(): Promise<void> {
  for (let id = 100; id < 110; id++) {
    await scenario.onPrimary(
      `insert into items select ${id} * 1000 + g, 'other' from generate_series(1, 900) g`,
    );
  }
  await scenario.onPrimary("checkpoint");
}

/** Replicates a change, then puts the primary's files back to where they were before it; leaves it stopped. */
async function rollBack(lost: string): Promise<void> {
  await primary.stop();
  await using backup = await FileBackup.take(primary);
  await primary.start();
  await replicate(lost);
  await primary.stop();
  await backup.restore();
}

test("restored from a backup of its files, with nothing written since: it lacks what the topic has", async () => {
  await rollBack("insert into items select g, 'lost' from generate_series(10, 2000) g");
  await primary.start();
  await expectRefusal("server-changed", "flushed position");
});

test("restored from a backup of its files, and written to since: it tells the stretch differently", async () => {
  await rollBack("insert into items values (2, 'lost')");
  await primary.start();
  await writeAnotherHistory();
  await expectRefusal("history-diverged", "where the topic has transaction");
});

test("restored from a backup of its files under a run, which stops when it comes back", async () => {
  await primary.stop();
  await using backup = await FileBackup.take(primary);
  await primary.start();
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into items select g, 'lost' from generate_series(10, 2000) g");
  await scenario.expectEqual();
  await primary.stop();
  await backup.restore();
  await primary.start();
  expect(await run.exited).toEqual({ code: 1, signal: null });
  for (const word of ["server-changed", "flushed position", "fix"]) expect(wordsOf(run)).toContain(word);
});

test("a new timeline that forked behind what we hold is the same server", async () => {
  await primary.stop();
  await startOnNewTimeline(primary);
  await replicate("insert into items values (2, 'on the second timeline')");
  await replicate("insert into items values (3, 'and again')");
  await primary.stop();
  await startOnNewTimeline(primary);
  await replicate("insert into items values (4, 'on the third')");
  expect(scenario.conflicts).toEqual([]);
});

test("a new timeline that forked before what we hold is another history", async () => {
  await rollBack("insert into items values (2, 'lost')");
  await startOnNewTimeline(primary);
  await writeAnotherHistory();
  await expectRefusal("server-changed", "timeline", "which left 1 at");
});

test("a primary that crashed tells again what it had not noted as confirmed, and that is the same", async () => {
  for (let round = 2; round < 5; round++) {
    await primary.kill();
    await primary.start();
    const words = await replicate(`insert into items values (${round}, 'after a crash')`);
    expect(words).toMatch(/what was read again equals the topic|nothing is read again/);
  }
  expect(scenario.conflicts).toEqual([]);
});

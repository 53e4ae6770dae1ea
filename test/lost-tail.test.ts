import { afterAll, beforeAll, expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  loseTail,
  startKafka,
  type KafkaBroker,
  type LockstepProcess,
} from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

/*
 * A broker that loses the end of the topic, as one that lost its power does: Kafka does not write through to the
 * disk. What of it the primary was told is durable comes never again (A2).
 */
let broker: KafkaBroker;
let scenario: Scenario;

beforeAll(async () => {
  broker = await startKafka();
});

afterAll(async () => {
  await broker[Symbol.asyncDispose]();
});

async function newScenario(): Promise<void> {
  const urls = await Promise.all([freshDatabase(0), freshDatabase(1)]);
  scenario = await Scenario.create({ brokers: broker.brokers, urls });
  await scenario.everywhere("create table items (id int primary key)");
}

/** Inserts so many rows, each a record of its own that the primary was told is durable. */
async function replicate(first: number, last: number): Promise<void> {
  for (let id = first; id <= last; id++) {
    await scenario.onPrimary(`insert into items values (${id})`);
    await scenario.expectEqual();
  }
  const [committed] = await scenario.onPrimary<{ at: string }>("select pg_current_wal_lsn()::text as at");
  await eventually("the primary was told", async () => {
    const told = await scenario.onPrimary(
      `select from pg_replication_slots
        where slot_name = 'lockstep_${scenario.pipeline}' and confirmed_flush_lsn >= '${committed?.at ?? ""}'`,
    );
    expect(told).toHaveLength(1);
  });
}

async function cutOff(batches: number | "all"): Promise<void> {
  await broker.kill();
  await loseTail(broker, `lockstep.${scenario.pipeline}`, batches);
  await broker.start();
}

async function expectStop(run: LockstepProcess, code: string): Promise<void> {
  expect(await run.exited).toEqual({ code: 1, signal: null });
  const words = run.log.map(({ text }) => text).join("\n");
  for (const word of [code, "fix"]) expect(words).toContain(word);
}

const ids = async (): Promise<unknown[]> =>
  (await execute<{ id: number }>(scenario.replicaUrls[0] ?? "", "select id from items order by id")).map(
    ({ id }) => id,
  );

test("lost while nothing runs: the next start says that the slot is ahead", async () => {
  await newScenario();
  {
    await using run = scenario.run();
    await run.waitForLog("following");
    await replicate(1, 5);
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  }
  await cutOff(2);
  await scenario.onPrimary("insert into items values (6)");
  await using run = scenario.run();
  await expectStop(run, "slot-ahead");
  expect(await ids()).toEqual([1, 2, 3, 4, 5]);
});

test("lost under a run: it reads back what there is, and stops", async () => {
  await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following");
  await replicate(1, 5);
  await cutOff(2);
  await scenario.onPrimary("insert into items values (6)");
  await expectStop(run, "slot-ahead");
  expect(await ids()).toEqual([1, 2, 3, 4, 5]);
});

test("lost under a run, back to its beginning: the broker takes appends again, it stops all the same", async () => {
  await newScenario();
  await using run = scenario.run();
  await run.waitForLog("following");
  await replicate(1, 3);
  // `open` and `epoch` as well: nothing in the topic tells the broker who appends. How many records there are is the
  // run's affair: it may have told its position once more.
  await cutOff("all");
  await scenario.onPrimary("insert into items values (4)");
  await expectStop(run, "history-gap");
  await using next = scenario.run(); // Nor does the record that the broker took let the next one go on.
  await expectStop(next, "history-gap");
});

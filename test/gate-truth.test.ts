import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute, freePort, LockstepProcess, startKafka, type KafkaBroker } from "@lockstep/testkit";
import { Random } from "./faults/random.ts";
import { NUMBERED_ROWS } from "./gate/numbered-rows.ts";
import { Witness } from "./gate/witness.ts";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/*
 * Eight clients commit through the gate while something is killed or cut, again and again: each commit that returned
 * without a warning was on the quorum's replicas, or in the log, by then. `npm run test:gate -- --rounds N` runs more.
 */
const QUORUM = 1;
const ROUNDS = Number(process.env["LOCKSTEP_TEST_ROUNDS"] ?? 2);
const SEED = Number(process.env["LOCKSTEP_TEST_SEED"] ?? randomBytes(4).readUInt32BE());
const FAULTS = ["run", "replica", "broker", "link"] as const;
/** After each fault so many commits must return. */
const COMMITS = 100;
const GOES_ON_MS = 60_000;

const servers = ownServers(3);
let broker: KafkaBroker;
beforeAll(async () => {
  broker = await startKafka({ port: await freePort() });
});
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
});

test(
  `seed ${SEED}: ${ROUNDS} rounds, and no commit returned too early`,
  { timeout: 60_000 + ROUNDS * 60_000 },
  async () => {
    const urls = await createDatabases(servers);
    const extra = `mode: semi-sync\nminReplicasSync: ${QUORUM}\ndegradeAfterMs: never`;
    const scenario = await Scenario.create({ brokers: broker.brokers, urls, extra });
    await scenario.onPrimary(NUMBERED_ROWS);
    let run = scenario.run();
    await run.waitForLog("tables are live", { count: 2 });
    await using gate = new LockstepProcess(["gate", "on", "-c", scenario.configPath]);
    expect(await gate.exited).toEqual({ code: 0, signal: null });
    await run.waitForLog("the gate is armed");

    const topic = `lockstep.${scenario.pipeline}`;
    const kafka = new Kafka({
      brokers: [...broker.brokers],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    });
    const admin = kafka.admin();
    await admin.connect();
    const topicEnd = async (): Promise<bigint> =>
      BigInt((await admin.fetchTopicOffsets(topic))[0]?.high ?? 0);
    const [primaryUrl = "", ...replicaUrls] = urls;
    await using witness = new Witness({ primaryUrl, replicaUrls, quorum: QUORUM, topicEnd });
    witness.start({ applied: 6, logged: 2 });
    const random = new Random(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      await witness.more(COMMITS, GOES_ON_MS);
      const fault = FAULTS[round % FAULTS.length] ?? "run";
      const awayMs = random.between(0, 1_500);
      if (fault === "run") {
        run.kill();
        await run.exited;
        await sleep(awayMs);
        run = scenario.run();
      } else if (fault === "replica") {
        const replica = servers[random.between(1, 2)];
        await replica?.kill();
        await sleep(awayMs);
        run.kill("SIGSTOP"); // Nothing is applied from here on: what the replica has, it had when it died.
        await witness.settled();
        await replica?.start();
        await witness.judgePending();
        run.kill("SIGCONT");
      } else if (fault === "broker") {
        await broker.kill();
        await sleep(awayMs);
        await broker.start();
      } else {
        await execute(primaryUrl, "select pg_terminate_backend(pid) from pg_stat_replication");
      }
    }
    await witness.more(COMMITS, GOES_ON_MS);
    await witness.end();
    await witness.judgePending();
    expect(witness.broken).toEqual([]);
    expect(witness.warned).toBeLessThan(witness.returned / 100);
    expect(witness.logged.length).toBeGreaterThan(COMMITS / 10);
    const offsets = await readOffsets(kafka, topic, await topicEnd());
    const early = witness.logged.filter(({ id, end }) => !((offsets.get(id) ?? end) < end));
    expect(early).toEqual([]);
    await admin.disconnect();
    await using off = new LockstepProcess(["gate", "off", "-c", scenario.configPath]);
    expect(await off.exited).toEqual({ code: 0, signal: null });
    await scenario.expectEqual();
    expect(scenario.conflicts).toEqual([]);
    await run.stop();
  },
);

/** At which offset the topic has each row, read with JSON alone. */
async function readOffsets(kafka: Kafka, topic: string, end: bigint): Promise<Map<number, bigint>> {
  const offsets = new Map<number, bigint>();
  const consumer = kafka.consumer({ groupId: `${topic}-witness`, retry: { retries: 5 } });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ message: { value, offset } }) => {
          for (const id of rowsOf(String(value))) if (!offsets.has(id)) offsets.set(id, BigInt(offset));
          if (BigInt(offset) + 1n >= end) resolve();
          await Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return offsets;
}

interface Body {
  readonly transactions?: readonly { readonly events: readonly { readonly after?: readonly unknown[] }[] }[];
}

/** What the JSON says, whatever the product thinks of it. */
function rowsOf(text: string): number[] {
  const { transactions = [] }: Body = JSON.parse(text);
  return transactions.flatMap(({ events }) =>
    events.flatMap(({ after }) => (after === undefined ? [] : [Number(after[0])])),
  );
}

import { randomBytes } from "node:crypto";
import type { EventLog } from "@lockstep/core";
import { createKafkaLog } from "@lockstep/log-kafka";
import { silentLogger, type KafkaBroker } from "@lockstep/testkit/servers";

/** Stretches of commits that are shorter measure nothing anyway. */
export const MIN_WARMED_SECONDS = 1;

/** What a round appends: many records of a few changes, then full ones. */
const ROUND = [
  { count: 4_000, bytes: 600 },
  { count: 100, bytes: 300 * 1024 },
];
const MAX_ROUNDS = 12;
/** A round that takes more than so much of what the quickest took has not made the broker quicker. */
const NO_QUICKER = 0.95;
/** So many such rounds one behind the other, and it is warm. */
const NO_QUICKER_ROUNDS = 2;

/**
 * Appends, to a topic of its own, until the broker takes no less processor time for the same. Its machine compiles
 * what it runs often: cold, it takes up to six times as much as it does for the rest of its life.
 */
export async function warmBroker(broker: KafkaBroker | null, say: (line: string) => void): Promise<void> {
  if (broker === null) return;
  const pipeline = `warm-up-${randomBytes(4).toString("hex")}`;
  const log = createKafkaLog({ brokers: broker.brokers, pipeline, logger: silentLogger });
  const { signal } = new AbortController();
  const taken: number[] = [];
  try {
    await log.prepare(signal);
    for (let idle = 0; taken.length < MAX_ROUNDS && idle < NO_QUICKER_ROUNDS;) {
      const before = broker.cpuSeconds() ?? 0;
      await appendRound(log, signal);
      const seconds = (broker.cpuSeconds() ?? 0) - before;
      idle = seconds > NO_QUICKER * Math.min(...taken) ? idle + 1 : 0;
      taken.push(seconds);
    }
  } finally {
    await log[Symbol.asyncDispose]();
  }
  say(
    `  the broker is warm: ${taken.map((seconds) => seconds.toFixed(1)).join(", ")} s of processors a round`,
  );
}

async function appendRound(log: EventLog, signal: AbortSignal): Promise<void> {
  await using publisher = await log.openPublisher(signal);
  for (const { count, bytes } of ROUND) {
    const record = {
      headers: { kind: "warm-up" },
      value: Buffer.from(randomBytes(bytes / 2).toString("hex")),
    };
    for (let at = 0; at < count; at++) await publisher.append(record, signal);
  }
}

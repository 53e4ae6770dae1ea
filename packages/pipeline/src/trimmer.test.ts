import { expect, test } from "vitest";
import { offset, type Logger, type Offset } from "@lockstep/core";
import { MemoryTopic, silentLogger } from "@lockstep/testkit";
import { Trimmer } from "./trimmer.ts";

const signal = (): AbortSignal => AbortSignal.timeout(10_000);
const RETENTION_MS = 1_000;

/** A topic whose entry n was appended at n seconds, now that it is the tenth; and what was said while trimming. */
async function trimmed(
  keepFrom: number,
  acked: Readonly<Record<string, number | null>> = {},
  retentionMs = 4 * RETENTION_MS,
  retentionBytes: number | null = null,
): Promise<{ first: Offset; said: string[]; again: () => Promise<string[]> }> {
  const topic = new MemoryTopic();
  topic.exists = true;
  for (let second = 0; second < 10; second++) {
    topic.append({ headers: {}, value: Buffer.alloc(100) }, 1);
    topic.times[second] = second * 1_000;
  }
  let said: string[] = [];
  const say = (level: string) => (fields: Readonly<Record<string, unknown>>, message?: string) => {
    const { replica } = fields;
    said.push(`${level} ${typeof replica === "string" ? replica : ""} ${message ?? ""}`);
  };
  const logger: Logger = { ...silentLogger, info: say("info"), warn: say("warn"), error: say("error") };
  const offsets = Object.fromEntries(
    Object.entries(acked).map(([name, value]) => [name, value === null ? null : offset(value)]),
  );
  const trimmer = new Trimmer({
    log: topic.open(),
    logger,
    retentionMs,
    retentionBytes,
    keepFrom: () => offset(keepFrom),
    stored: () => offsets,
    nowMs: () => 10_000,
  });
  await trimmer.trim(signal());
  const saidFirst = said;
  return {
    first: topic.first,
    said: saidFirst,
    again: async () => {
      said = [];
      await trimmer.trim(signal());
      return said;
    },
  };
}

test("what is older than the retention is forgotten, and nothing else", async () => {
  const { first, said, again } = await trimmed(9);
  expect(first).toBe(6n);
  expect(said).toEqual(["info  trimmed the log"]);
  expect(await again()).toEqual([]);
});

test("what a publisher needs to start is kept, however old", async () => {
  expect((await trimmed(3)).first).toBe(3n);
  expect((await trimmed(0)).first).toBe(0n);
  expect((await trimmed(9, {}, 1)).first).toBe(9n);
});

test("retention beats a missing ack, and says so, once; who will be next is warned", async () => {
  const { first, said, again } = await trimmed(9, { gone: 2, late: 5, well: 7, unknown: null });
  expect(first).toBe(6n);
  expect(said).toEqual([
    "error gone a replica needs what is trimmed now",
    "warn late a replica will soon need what retention forgets",
    "info  trimmed the log",
  ]);
  expect(await again()).toEqual([]);
});

test("what is beyond so many bytes is forgotten too, however young, and never what a publisher needs", async () => {
  const hours = 60 * RETENTION_MS;
  expect((await trimmed(9, {}, hours, 250)).first).toBe(8n);
  expect((await trimmed(9, {}, hours, 10_000)).first).toBe(0n);
  expect((await trimmed(9, {}, 4 * RETENTION_MS, 700)).first).toBe(6n); // By age already.
  expect((await trimmed(3, {}, hours, 250)).first).toBe(3n);
});

test("who needs what the bytes have no room for is named, and who soon will", async () => {
  const { first, said, again } = await trimmed(9, { gone: 2, late: 4, well: 7 }, 60 * RETENTION_MS, 500);
  expect(first).toBe(5n);
  expect(said).toEqual([
    "error gone a replica needs what is trimmed now",
    "warn late a replica will soon need what retention forgets",
    "info  trimmed the log",
  ]);
  expect(await again()).toEqual([]);
});

import { expect, test } from "vitest";
import { nextOffset } from "@lockstep/core";
import { sharedKafka, silentLogger, uniqueName } from "@lockstep/testkit";
import { createKafkaLog } from "./kafka-log.ts";

const signal = (): AbortSignal => AbortSignal.timeout(30_000);
const fragment = (place: string, value: string): { headers: Record<string, string>; value: Buffer } => ({
  headers: { kind: "test", fragment: place },
  value: Buffer.from(value),
});

test("what a publisher that died left of a record is passed over, and waited for while it may still come", async () => {
  const pipeline = uniqueName("fragments");
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(signal());
  await using died = await log.openPublisher(signal());
  const first = await died.append(fragment("0/3", "lost"), signal());
  await died.append(fragment("1/3", "lost"), signal());
  // Nothing whole is there: an empty chunk, no error, and not at once.
  const startedMs = performance.now();
  const read = { from: first, maxBytes: 1_000_000, maxWaitMs: 500 };
  expect(await log.read(read, signal())).toEqual({ entries: [], next: first });
  expect(performance.now() - startedMs).toBeGreaterThan(400);

  await using next = await log.openPublisher(signal());
  await next.append(fragment("0/2", "whole "), signal());
  const at = await next.append(fragment("1/2", "again"), signal());
  const { entries } = await log.read(read, signal());
  expect(entries).toEqual([{ offset: at, headers: { kind: "test" }, value: Buffer.from("whole again") }]);

  // A record that begins like the rest of a lost one, and one that ends in the middle of another's.
  await next.append(fragment("2/3", "stray"), signal());
  const last = await next.append({ headers: { kind: "last" }, value: Buffer.from("x") }, signal());
  const rest = await log.read({ ...read, from: nextOffset(at) }, signal());
  expect(rest.entries.map((entry) => entry.offset)).toEqual([last]);
  expect(rest.next).toBe(nextOffset(last));
});

test("a record is given once its last fragment arrives", async () => {
  const pipeline = uniqueName("fragments");
  await using log = createKafkaLog({ brokers: sharedKafka(), pipeline, logger: silentLogger });
  await log.prepare(signal());
  await using publisher = await log.openPublisher(signal());
  const first = await publisher.append(fragment("0/2", "one "), signal());
  const reading = log.read({ from: first, maxBytes: 1_000_000, maxWaitMs: 20_000 }, signal());
  const last = await publisher.append(fragment("1/2", "two"), signal());
  const { entries } = await reading;
  expect(entries.map((entry) => [entry.offset, entry.value.toString()])).toEqual([[last, "one two"]]);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeRecord,
  offset,
  position,
  type Epoch,
  type EventLog,
  type LogPublisher,
  type Offset,
  type Position,
  type Progress,
} from "@lockstep/core";
import { MemoryTopic } from "@lockstep/testkit";
import { endOfTopic, startOfCopy } from "./copy-start.ts";

const signal = (): AbortSignal => AbortSignal.timeout(10_000);
const at = (value: number): Position => position(String(value));
const EPOCH: Epoch = { number: 1, id: "one", server: {}, start: at(0), former: [] };
const STAMP = { epoch: EPOCH, run: "run", open: offset(0) };
const SECOND_US = 1_000_000;

async function writtenTopic(): Promise<{ log: EventLog; publisher: LogPublisher }> {
  const log = new MemoryTopic().open();
  await log.prepare(signal());
  const publisher = await log.openPublisher(signal());
  await publisher.append(encodeRecord({ kind: "open", epoch: EPOCH }, { ...STAMP, open: null }), signal());
  const record = { kind: "epoch", epoch: EPOCH, previous: null, position: at(0), last: null } as const;
  await publisher.append(encodeRecord(record, STAMP), signal());
  return { log, publisher };
}

/** An idle record each: only what the last transaction is matters. */
async function append(publisher: LogPublisher, committedAtUs: readonly number[]): Promise<void> {
  for (const [index, us] of committedAtUs.entries()) {
    const last = { position: at(index + 1), xid: String(index), committedAtUs: us };
    const record = { kind: "idle", previous: at(index), position: at(index + 1), last } as const;
    await publisher.append(encodeRecord(record, STAMP), signal());
  }
}

async function startIn(log: EventLog, earliestUs: number | null, end?: Offset): Promise<Progress | null> {
  const { next } = await log.bounds(signal());
  return await startOfCopy(log, { epoch: EPOCH, earliestUs, end: end ?? next }, signal());
}

test("nothing that was committed at or after the time lies at or below the start", async () => {
  const steps = fc.array(fc.record({ step: fc.nat(20), jitter: fc.nat(4) }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(400), async (commits, earliest) => {
      const { log, publisher } = await writtenTopic();
      let seconds = 0;
      // Commits cross each other: their times fall back by some seconds.
      const times = commits.map(({ step, jitter }) => ((seconds += step) - jitter) * SECOND_US);
      await append(publisher, times);
      const start = await startIn(log, earliest * SECOND_US);
      const missed = times.filter(
        (us, index) => us >= earliest * SECOND_US && index + 1 <= Number(start?.position),
      );
      expect(missed).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("it does not begin earlier than it must", async () => {
  const { log, publisher } = await writtenTopic();
  await append(
    publisher,
    Array.from({ length: 100 }, (_, second) => second * SECOND_US),
  );
  const start = await startIn(log, 60 * SECOND_US);
  expect(Number(start?.position)).toBe(50); // Ten seconds before.
  expect(start).toMatchObject({ offset: 51n, open: 0n, run: "run" });
});

test("where nothing is known it begins at the topic's beginning, and nowhere once that was trimmed", async () => {
  const { log, publisher } = await writtenTopic();
  await append(publisher, [SECOND_US, 2 * SECOND_US, 30 * SECOND_US]);
  expect(await startIn(log, null)).toMatchObject({ position: "0" });
  expect(await startIn(log, 0)).toMatchObject({ position: "0" });
  await log.trim(offset(2), signal());
  expect(await startIn(log, null)).toBeNull();
  expect(await startIn(log, 0)).toBeNull(); // What the copy lacks may have been trimmed.
  expect(await startIn(log, 20 * SECOND_US)).toMatchObject({ position: "2" });
});

test("a clock that was set back after the view misleads no further than where the topic ended before it", async () => {
  const { log, publisher } = await writtenTopic();
  await append(publisher, [100 * SECOND_US]);
  const { next } = await log.bounds(signal());
  const later = { position: at(2), xid: "late", committedAtUs: 10 * SECOND_US }; // Committed after the view.
  const record = { kind: "idle", previous: at(1), position: at(2), last: later } as const;
  await publisher.append(encodeRecord(record, STAMP), signal());
  expect(await startIn(log, 111 * SECOND_US, next)).toMatchObject({ position: "1" });
  expect(await endOfTopic(log, EPOCH, next, signal())).toMatchObject({ position: "1" });
});

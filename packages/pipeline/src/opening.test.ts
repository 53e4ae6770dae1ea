import { expect, test } from "vitest";
import {
  encodeRecord,
  offset,
  position,
  type ComparePositions,
  type Epoch,
  type EventLog,
  type Position,
  type Source,
  type SourceSession,
} from "@lockstep/core";
import { MemoryTopic, silentLogger } from "@lockstep/testkit";
import { open } from "./opening.ts";

const signal = (): AbortSignal => AbortSignal.timeout(10_000);
const at = (value: number): Position => position(String(value));
const compare: ComparePositions = (left, right) =>
  Number(left) < Number(right) ? "before" : Number(left) > Number(right) ? "after" : "same";
const EPOCH: Epoch = { number: 1, id: "one", server: {}, start: at(0), former: [] };
const STAMP = { epoch: EPOCH, run: "former", open: offset(0) };

/** A source whose lock is given up by a former holder while it is being acquired. */
function sourceWith(whileAcquiring: () => Promise<Position>): Source {
  return {
    compare,
    isPosition: (text): text is Position => /^\d+$/.test(text),
    acquire: async () => {
      const start = await whileAcquiring();
      const session: SourceSession = {
        server: {},
        start,
        tables: [],
        nowUs: null,
        retained: null,
        gate: null,
        verify: () => undefined,
        stream: () => expect.unreachable(),
        confirm: () => undefined,
        nudge: async () => await Promise.resolve(),
        proveLock: async () => await Promise.resolve(),
        takeInTables: async () => await Promise.resolve([]),
        [Symbol.asyncDispose]: async () => await Promise.resolve(),
      };
      return session;
    },
    contains: () => false,
    openSnapshot: () => expect.unreachable(),
    readSchema: () => expect.unreachable(),
  };
}

async function writtenTopic(): Promise<{ topic: MemoryTopic; log: EventLog }> {
  const topic = new MemoryTopic();
  const log = topic.open();
  await log.prepare(signal());
  const former = await log.openPublisher(signal());
  await former.append(encodeRecord({ kind: "open", epoch: EPOCH }, { ...STAMP, open: null }), signal());
  await former.append(
    encodeRecord({ kind: "epoch", epoch: EPOCH, previous: null, position: at(0), last: null }, STAMP),
    signal(),
  );
  return { topic, log };
}

const opening = (log: EventLog, source: Source): Parameters<typeof open>[0] => ({
  source,
  sinks: [],
  log,
  run: "next",
  newEpochId: () => "unused",
  logger: silentLogger,
  failpoints: undefined,
});

test("what a former run appended and confirmed until its lock was free is no gap", async () => {
  const { topic, log } = await writtenTopic();
  const source = sourceWith(async () => {
    const idle = { kind: "idle", previous: at(0), position: at(7), last: null } as const;
    topic.append(encodeRecord(idle, STAMP), topic.appendedBy);
    return await Promise.resolve(at(7));
  });
  await using opened = await open(opening(log, source), signal());
  expect(opened.reached.position).toBe("7");
});

test("a slot that was confirmed beyond the topic is refused, and nothing is appended (A2)", async () => {
  const { topic, log } = await writtenTopic();
  const source = sourceWith(async () => await Promise.resolve(at(1)));
  const before = topic.next;
  await expect(open(opening(log, source), signal())).rejects.toMatchObject({ code: "slot-ahead" });
  expect(topic.next).toBe(before);
});

test("a topic that somebody else cut, with what says which epoch it is, is a gap (A2)", async () => {
  const { topic, log } = await writtenTopic();
  const idle = { kind: "idle", previous: at(0), position: at(7), last: null } as const;
  topic.append(encodeRecord(idle, STAMP), topic.appendedBy);
  await log.trim(offset(2), signal());
  const source = sourceWith(() => expect.unreachable());
  await expect(open(opening(log, source), signal())).rejects.toMatchObject({
    code: "history-gap",
    message: "the topic begins at offset 2 and no longer says which epoch it is",
  });
});

import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  encodeRecord,
  nextOffset,
  offset,
  position,
  type EventLog,
  type LogRecord,
  type Offset,
} from "@lockstep/core";
import { MemoryTopic } from "@lockstep/testkit";
import { DecodedEntry } from "./decoded-entry.ts";
import { LogTail } from "./log-tail.ts";

const { signal } = new AbortController();
const MIB = 1024 * 1024;

/** A topic of idle records, and a tail of it; `write` appends one as this process, or as another one. */
function tailed() {
  const topic = new MemoryTopic();
  topic.exists = true;
  const log = topic.open();
  const read = vi.spyOn(log, "read");
  const fetched: Offset[] = [];
  const tail = new LogTail(log, (at) => fetched.push(at));
  const write = (by: "us" | "another", bytes?: number): Offset => {
    const at = position(String(topic.entries.length));
    const record: LogRecord = { kind: "idle", previous: null, position: at, last: null };
    const encoded = encodeRecord(record, { epoch: null, run: by, open: null });
    const value = bytes === undefined ? encoded.value : Buffer.alloc(bytes);
    const put = topic.append({ ...encoded, value }, 1);
    if (by === "us") tail.handOver(new DecodedEntry({ offset: put, ...encoded, value }, record));
    return put;
  };
  const offsets = async (from: Offset): Promise<Offset[]> =>
    (await tail.read(from, "appended", signal)).entries.map((entry) => entry.offset);
  return { topic, log, tail, read, fetched, write, offsets };
}

function fetchesOf({ mock }: { mock: { calls: Parameters<EventLog["read"]>[] } }): Offset[] {
  return mock.calls.map(([{ from }]) => from);
}

test("what this process appended is read without a fetch, decoded as the topic has it", async () => {
  const { tail, read, write, fetched, topic } = tailed();
  await using _ = tail;
  for (let count = 0; count < 3; count++) write("us");
  const { entries, next } = await tail.read(offset(1), "appended", signal);
  expect(entries.map((entry) => entry.offset)).toEqual([offset(1), offset(2)]);
  expect(next).toBe(offset(3));
  expect(fetched).toEqual([offset(1), offset(2)]);
  expect(read).not.toHaveBeenCalled();
  const [, stored] = topic.entries;
  expect(stored && new DecodedEntry(stored).record).toEqual(entries[0]?.record);
  expect(stored && new DecodedEntry(stored).headers).toEqual(entries[0]?.headers);
});

test("who waits at the end gets the next record when it is appended, without a fetch", async () => {
  const { tail, read, write, offsets } = tailed();
  await using _ = tail;
  const end = nextOffset(write("us"));
  const waiting = offsets(end);
  write("us");
  expect(await waiting).toEqual([end]);
  expect(read).not.toHaveBeenCalled();
});

test("who waits in a fetch at the end is not kept by it", async () => {
  const { tail, read, write, offsets } = tailed();
  await using _ = tail;
  const waiting = offsets(offset(0));
  await vi.waitFor(() => expect(fetchesOf(read)).toEqual([offset(0)]));
  write("us");
  expect(await waiting).toEqual([offset(0)]);
});

test("what lies before is fetched, and what another process appended between", async () => {
  const { tail, read, write, offsets } = tailed();
  await using _ = tail;
  write("another");
  write("us");
  expect(await offsets(offset(0))).toEqual([offset(0), offset(1)]);
  expect(fetchesOf(read)).toEqual([offset(0)]);
  write("another");
  write("us");
  expect(await offsets(offset(2))).toEqual([offset(2), offset(3)]);
  expect(fetchesOf(read)).toEqual([offset(0), offset(2)]);
});

test("more than is kept is fetched", async () => {
  const { tail, read, write, offsets } = tailed();
  await using _ = tail;
  for (let count = 0; count < 6; count++) write("us", MIB);
  expect(await offsets(offset(2))).toEqual([offset(2)]); // A step is as large as a fetch.
  expect(await offsets(offset(5))).toEqual([offset(5)]);
  expect(read).not.toHaveBeenCalled();
  await offsets(offset(1));
  expect(fetchesOf(read)).toEqual([offset(1)]);
});

test("a topic that lost its end is noticed while nothing is appended (A2)", async () => {
  const { topic, tail, write, offsets } = tailed();
  await using _ = tail;
  const end = nextOffset(write("us"));
  topic.entries.pop();
  await expect(offsets(end)).rejects.toThrow(/offset/);
});

test("when its publisher has ended, the topic is read at once", async () => {
  const { tail, write, offsets } = tailed();
  await using _ = tail;
  const end = nextOffset(write("us"));
  const waiting = offsets(end);
  tail.endHandOver();
  write("another");
  const begunMs = performance.now();
  expect(await waiting).toEqual([end]);
  expect(performance.now() - begunMs).toBeLessThan(500);
});

test("who appends a backlog waits for a reader that keeps up, not for one that is slow or away", async () => {
  const { tail, write, offsets } = tailed();
  await using _ = tail;
  const paceMs = async (): Promise<number> => {
    const begunMs = performance.now();
    await tail.paced(signal);
    return performance.now() - begunMs;
  };
  write("us", MIB);
  expect(await paceMs()).toBeLessThan(20); // Nobody has come yet.
  await offsets(offset(0));
  write("us", MIB / 2);
  expect(await paceMs()).toBeLessThan(20); // Not much ahead.
  write("us", MIB / 2);
  const waiting = paceMs();
  await offsets(offset(1));
  expect(await waiting).toBeLessThan(100);
  write("us", MIB);
  const slowMs = await paceMs();
  expect(slowMs).toBeGreaterThan(200);
  expect(slowMs).toBeLessThan(1_000);
});

test("what is being appended is there at once for who takes it, and for others when it is appended", async () => {
  const { tail, topic, write, read } = tailed();
  await using _ = tail;
  write("us");
  const taking = tail.read(offset(1), "appending", signal);
  const other = tail.read(offset(1), "appended", signal);
  const { entry, append } = appending(topic, offset(1));
  tail.handOver(entry);
  expect((await taking).entries).toEqual([entry]);
  let isThere = false;
  void other.then(() => (isThere = true));
  await setImmediate();
  expect(isThere).toBe(false);
  append();
  tail.handOver(entry);
  expect((await other).entries).toEqual([entry]);
  expect(entry.appending).toBeNull();
  expect(read).not.toHaveBeenCalled();
});

test("an append that has been under way for a while is offered to nobody any more", async () => {
  const { tail, topic, write } = tailed();
  await using _ = tail;
  write("us");
  const { entry } = appending(topic, offset(1));
  vi.useFakeTimers({ toFake: ["performance"], now: 0 });
  onTestFinished(() => void vi.useRealTimers());
  tail.handOver(entry);
  vi.advanceTimersByTime(150);
  expect((await tail.read(offset(1), "appending", signal)).entries).toEqual([]);
});

/** A record that is being appended at an offset; `append` ends that. */
function appending(topic: MemoryTopic, at: Offset): { entry: DecodedEntry; append: () => void } {
  const record: LogRecord = { kind: "idle", previous: null, position: position("1"), last: null };
  const encoded = encodeRecord(record, { epoch: null, run: "us", open: null });
  const entry = DecodedEntry.appending({ offset: at, ...encoded }, record);
  const append = (): void => {
    expect(topic.append(encoded, 1)).toBe(at);
    entry.appended();
  };
  return { entry, append };
}

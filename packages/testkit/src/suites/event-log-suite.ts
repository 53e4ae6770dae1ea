import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  type EncodedRecord,
  nextOffset,
  offset,
  type EventLog,
  type LogEntry,
  type LogPublisher,
  type Offset,
} from "@lockstep/core";

export interface LogFixture {
  /** Another instance on the same topic, as another process has it. */
  open(): EventLog;
}

const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const READ = { maxBytes: 1024 * 1024, maxWaitMs: 500 };

/** What every event log must do. `make` gives a topic of its own to each test; instances are closed by the suite. */
export function eventLogSuite(name: string, make: () => Promise<LogFixture>): void {
  const withLogs = async (work: (open: () => EventLog) => Promise<void>): Promise<void> => {
    const fixture = await make();
    const opened: EventLog[] = [];
    try {
      await work(() => {
        const log = fixture.open();
        opened.push(log);
        return log;
      });
    } finally {
      for (const log of opened) await log[Symbol.asyncDispose]();
    }
  };

  describe(`${name} as an event log`, () => {
    test("gives back what was appended, in order, headers and bytes", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        await log.prepare(signal());
        const { first, next } = await log.bounds(signal());
        expect(next).toBe(first);
        const publisher = await log.openPublisher(signal());
        const values = ["", "a", "🐘 \u0000", "x".repeat(1024 * 1024)].map((text) => Buffer.from(text));
        const offsets: Offset[] = [];
        for (const [index, value] of values.entries()) {
          offsets.push(
            await publisher.append({ headers: { kind: "test", index: String(index) }, value }, signal()),
          );
        }
        expect([...offsets].sort((left, right) => (left < right ? -1 : 1))).toEqual(offsets);
        const entries = await readAll(open(), first, values.length);
        expect(entries.map((entry) => entry.offset)).toEqual(offsets);
        expect(entries.map((entry) => entry.headers)).toEqual(
          values.map((_, index) => ({ kind: "test", index: String(index) })),
        );
        expect(
          entries.map((entry) =>
            Buffer.compare(entry.value, values[Number(entry.headers["index"])] ?? Buffer.alloc(0)),
          ),
        ).toEqual([0, 0, 0, 0]);
        expect((await log.bounds(signal())).next > (offsets.at(-1) ?? 0n)).toBe(true);
      });
    });

    test("a read waits for an append of another instance, and is empty after its wait", async () => {
      await withLogs(async (open) => {
        const [writer, reader] = [open(), open()];
        await writer.prepare(signal());
        const { next } = await reader.bounds(signal());
        const startedMs = performance.now();
        expect(await reader.read({ from: next, ...READ }, signal())).toEqual({ entries: [], next });
        expect(performance.now() - startedMs).toBeGreaterThan(READ.maxWaitMs * 0.8);
        const reading = reader.read({ from: next, ...READ, maxWaitMs: 20_000 }, signal());
        const publisher = await writer.openPublisher(signal());
        const at = await publisher.append(record("late"), signal());
        expect((await reading).entries.map((entry) => entry.offset)).toEqual([at]);
      });
    });

    test("a read that waits at the end does not hold up one that is behind", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        const publisher = await log.openPublisher(signal());
        const first = await publisher.append(record("first"), signal());
        const { next } = await log.bounds(signal());
        const stop = new AbortController();
        const waiting = log.read({ from: next, ...READ, maxWaitMs: 10_000 }, stop.signal);
        const startedMs = performance.now();
        for (let round = 0; round < 5; round++) {
          const { entries } = await log.read({ from: first, ...READ, maxWaitMs: 1_000 }, signal());
          expect(entries).toHaveLength(1);
        }
        expect(performance.now() - startedMs).toBeLessThan(2_000);
        stop.abort(new Error("enough"));
        await expect(waiting).rejects.toThrow("enough");
      });
    });

    test("a read gives at least one entry, however large, and from the middle just what is behind", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        const publisher = await log.openPublisher(signal());
        const first = await publisher.append({ headers: {}, value: Buffer.alloc(300_000, "a") }, signal());
        const second = await publisher.append({ headers: {}, value: Buffer.alloc(300_000, "b") }, signal());
        const chunk = await log.read({ from: first, maxBytes: 10, maxWaitMs: 500 }, signal());
        expect(chunk.entries[0]?.value.length).toBe(300_000);
        const rest = await log.read({ from: second, maxBytes: 10, maxWaitMs: 500 }, signal());
        expect(rest.entries.map((entry) => entry.offset)).toEqual([second]);
      });
    });

    test("an entry may be far larger than what the log carries at once", async () => {
      await withLogs(async (open) => {
        const [log, reader] = [open(), open()];
        await log.prepare(signal());
        const publisher = await log.openPublisher(signal());
        const before = await publisher.append(record("before"), signal());
        const value = Buffer.alloc(20_000_000, "0123456789");
        const large = await publisher.append({ headers: { kind: "large" }, value }, signal());
        const behind = await publisher.append(record("behind"), signal());
        const entries = await readAll(reader, before, 3);
        expect(entries.map((entry) => entry.offset)).toEqual([before, large, behind]);
        expect(entries[1]?.headers).toEqual({ kind: "large" });
        expect(Buffer.compare(entries[1]?.value ?? Buffer.alloc(0), value)).toBe(0);
        // Its own offset, and any between it and the one before, give it whole.
        for (const from of new Set([nextOffset(before), offset((before + large) / 2n + 1n), large])) {
          const chunk = await reader.read({ from, maxBytes: 1, maxWaitMs: 0 }, signal());
          expect(chunk.entries[0]?.offset).toBe(large);
          expect(chunk.entries[0]?.value.length).toBe(value.length);
          expect(chunk.next > large).toBe(true);
        }
      });
    });

    test("an offset above the end is an error, never a jump", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        const { next } = await log.bounds(signal());
        const beyond = offset(next + 5n);
        await expect(log.read({ from: beyond, ...READ }, signal())).rejects.toMatchObject({
          code: "offset-out-of-range",
        });
      });
    });

    test("what is trimmed is gone, and what lies behind is not", async () => {
      await withLogs(async (open) => {
        const [log, reader] = [open(), open()];
        await log.prepare(signal());
        const publisher = await log.openPublisher(signal());
        const first = await publisher.append(record("a"), signal());
        await appendAll(publisher, ["b"]);
        const third = await publisher.append(record("c"), signal());
        await log.trim(third, signal());
        await log.trim(first, signal()); // Long gone.
        expect((await reader.bounds(signal())).first).toBe(third);
        await expect(reader.read({ from: first, ...READ }, signal())).rejects.toMatchObject({
          code: "offset-out-of-range",
        });
        await appendAll(publisher, ["d"]);
        expect(await texts(reader)).toEqual(["c", "d"]);
        await log.trim((await log.bounds(signal())).next, signal());
        const { first: left, next } = await log.bounds(signal());
        expect(left).toBe(next);
        await appendAll(publisher, ["e"]);
        expect(await texts(reader)).toEqual(["e"]);
      });
    });

    test("an entry is found by the time at which it was appended", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        const { next: empty } = await log.bounds(signal());
        expect(await log.offsetAt(0, signal())).toBe(empty);
        const publisher = await log.openPublisher(signal());
        const first = await publisher.append(record("early"), signal());
        await sleep(50);
        const betweenMs = Date.now();
        await sleep(50);
        const second = await publisher.append(record("late"), signal());
        expect(await log.offsetAt(0, signal())).toBe(first);
        expect(await log.offsetAt(betweenMs, signal())).toBe(second);
        expect(await log.offsetAt(Date.now() + 60_000, signal())).toBe((await log.bounds(signal())).next);
      });
    });

    test("the last so many bytes are found, whoever appended them and whatever was trimmed", async () => {
      await withLogs(async (open) => {
        const [log, other] = [open(), open()];
        await log.prepare(signal());
        const { next: empty } = await log.bounds(signal());
        expect(await log.offsetOfLast(1_000, signal())).toBe(empty);
        const entry = { headers: { kind: "test" }, value: Buffer.alloc(100_000, "x") };
        const offsets: Offset[] = [];
        const first = await log.openPublisher(signal());
        for (let index = 0; index < 4; index++) offsets.push(await first.append(entry, signal()));
        const second = await other.openPublisher(signal());
        for (let index = 0; index < 6; index++) offsets.push(await second.append(entry, signal()));
        const lasting = async (count: number): Promise<unknown> =>
          offsets.indexOf(await log.offsetOfLast(count * 100_000 + 50_000, signal()));
        expect(await lasting(3)).toBe(7);
        expect(await lasting(8)).toBe(2); // Of both publishers.
        expect(await lasting(50)).toBe(0);
        expect(await log.offsetOfLast(0, signal())).toBe((await log.bounds(signal())).next);
        await log.trim(offsets[5] ?? empty, signal());
        expect(await lasting(50)).toBe(5);
        expect(await lasting(2)).toBe(8);
        const large = { headers: { kind: "test" }, value: Buffer.alloc(5_000_000, "x") };
        const at = await second.append(large, signal());
        expect((await log.offsetOfLast(3_000_000, signal())) > at).toBe(true); // Never a part of one.
        const { entries } = await log.read(
          { from: await log.offsetOfLast(5_150_000, signal()), maxBytes: 1, maxWaitMs: 500 },
          signal(),
        );
        expect(entries.map((found) => found.offset)).toEqual([offsets[9]]);
      });
    });

    test("a publisher fences the one before from its own first append on", async () => {
      await withLogs(async (open) => {
        const [former, latter] = [open(), open()];
        await former.prepare(signal());
        const first = await former.openPublisher(signal());
        await first.append(record("first"), signal());
        const second = await latter.openPublisher(signal());
        await second.append(record("second"), signal());
        for (let attempt = 0; attempt < 3; attempt++) {
          await expect(first.append(record("refused"), signal())).rejects.toMatchObject({
            code: "publisher-fenced",
          });
        }
        await second.append(record("third"), signal());
        expect(await texts(latter)).toEqual(["first", "second", "third"]);
      });
    });

    test("a renewed right goes on appending, and fences as well", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        const former = await log.openPublisher(signal());
        const publisher = await log.openPublisher(signal());
        await appendAll(publisher, ["a", "b"]);
        await publisher.renew(signal());
        await appendAll(publisher, ["c", "d"]);
        await expect(former.append(record("refused"), signal())).rejects.toMatchObject({
          code: "publisher-fenced",
        });
        expect(await texts(log)).toEqual(["a", "b", "c", "d"]);
      });
    });

    test("a topic that is not there is said to be missing", async () => {
      await withLogs(async (open) => {
        await expect(open().bounds(signal())).rejects.toMatchObject({ code: "log-missing" });
      });
    });

    test("an aborted read rejects with the signal's reason", async () => {
      await withLogs(async (open) => {
        const log = open();
        await log.prepare(signal());
        const { next } = await log.bounds(signal());
        const stop = new AbortController();
        const reading = log.read({ from: next, maxBytes: 1, maxWaitMs: 20_000 }, stop.signal);
        stop.abort(new Error("enough"));
        await expect(reading).rejects.toThrow("enough");
      });
    });
  });
}

function record(text: string): EncodedRecord {
  return { headers: { kind: "test" }, value: Buffer.from(text) };
}

async function appendAll(publisher: LogPublisher, all: readonly string[]): Promise<void> {
  for (const text of all) await publisher.append(record(text), signal());
}

async function texts(log: EventLog): Promise<string[]> {
  const { first } = await log.bounds(signal());
  const entries = await readAll(log, first, Infinity);
  return entries.map((entry) => entry.value.toString());
}

/** Reads on until there are as many entries, or nothing more comes. */
async function readAll(log: EventLog, first: Offset, count: number): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let from = first; entries.length < count;) {
    const chunk = await log.read({ from, ...READ }, signal());
    if (chunk.entries.length === 0) break;
    entries.push(...chunk.entries);
    from = nextOffset(chunk.entries.at(-1)?.offset ?? from);
  }
  return entries;
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextStep, type ChainState, type ChainStep } from "./chain.ts";
import { find } from "./find.ts";
import { encodeRecord, type EncodedRecord } from "./codec.ts";
import type { EventLog, LogEntry } from "./event-log.ts";
import { offset, type Offset } from "./offset.ts";
import { position, type ComparePositions, type Position } from "./position.ts";
import type { RecordHeaders } from "./record.ts";

/* Positions of these tests are whole numbers; transaction n commits at n, its commit record starts at n - 1. */
const at = (value: number): Position => position(String(value));
const compare: ComparePositions = (left, right) => {
  const difference = Number(left) - Number(right);
  return difference < 0 ? "before" : difference > 0 ? "after" : "same";
};
const EPOCH = { number: 1, id: "one" };

interface Entry extends RecordHeaders {
  /** The transactions it holds, or the one it is a piece of. */
  readonly transactions: readonly number[];
}

const header = (fields: Partial<Entry> & Pick<Entry, "kind">): Entry => ({
  epoch: EPOCH,
  run: "run",
  open: offset(0),
  previous: null,
  position: null,
  begin: null,
  commitStart: null,
  transactions: [],
  ...fields,
});

/** What one publisher does in its life, by dice; it continues where the topic's history ends. */
interface Life {
  readonly dice: readonly number[];
  /** Records it still appends after its successor has opened: where no fence held it off. */
  readonly stragglers: readonly number[];
}

const LAST = 40;

/** A topic of several publishers of one history: each cuts it differently, some die in the middle, some linger. */
function topicOf(lives: readonly Life[]): Entry[] {
  const topic: Entry[] = [];
  topic.push(header({ kind: "open", open: null, epoch: null }));
  topic.push(header({ kind: "epoch", position: at(0) }));
  let reached = 0;
  let lingering: { readonly open: Offset; readonly from: number; readonly dice: readonly number[] } | null =
    null;
  for (const life of lives) {
    const open = offset(topic.length);
    topic.push(header({ kind: "open", open: null }));
    if (lingering !== null) publish(topic, lingering.open, lingering.from, lingering.dice);
    const from = reached;
    reached = publish(topic, open, from, life.dice);
    lingering = { open, from: reached, dice: life.stragglers };
  }
  return topic;
}

/** Appends records from `from` on; returns the position reached. */
function publish(topic: Entry[], open: Offset, from: number, dice: readonly number[]): number {
  let reached = from;
  for (const die of dice) {
    const next = Math.min(LAST, reached + 1 + (die % 4));
    if (next === reached) break;
    const previous = at(reached);
    const transactions = Array.from({ length: next - reached }, (_, index) => reached + 1 + index);
    const record = header({ kind: "transactions", open, previous, position: at(next), transactions });
    if (die % 7 === 3) topic.push(header({ kind: "idle", open, previous, position: previous }));
    if (die % 5 === 4) {
      const large = reached + 1;
      const begin = offset(topic.length);
      topic.push(
        header({ kind: "begin", open, previous, commitStart: at(large - 1), transactions: [large] }),
      );
      if (die % 3 === 0) return reached; // Dies in the middle of a large transaction.
      topic.push(header({ kind: "middle", open, begin, transactions: [large] }));
      topic.push(header({ kind: "end", open, begin, previous, position: at(large), transactions: [large] }));
      reached = large;
      continue;
    }
    topic.push(record);
    if (die % 6 === 5) topic.push(record); // A duplicate of the whole record.
    reached = next;
  }
  return reached;
}

interface Reading {
  /** Whole transactions, in the order they were applied. */
  readonly applied: number[];
  readonly steps: readonly ChainStep["kind"][];
}

/** A reader that goes by the rules, as an applier does. */
function read(topic: readonly Entry[], from: number, start: ChainState): Reading {
  const applied: number[] = [];
  const steps: ChainStep["kind"][] = [];
  let state = start;
  let pieces: number[] = [];
  for (let index = from; index < topic.length; index++) {
    const entry = topic[index];
    if (entry === undefined) break;
    const step = nextStep(state, offset(index), entry, compare);
    steps.push(step.kind);
    if (step.kind === "gap" || step.kind === "conflict") break;
    if (step.kind === "drop") continue;
    if (step.kind === "apply") {
      if (entry.kind === "begin") pieces = [...entry.transactions];
      else if (entry.kind === "end") applied.push(...pieces);
      else if (entry.kind === "transactions")
        applied.push(...entry.transactions.filter((value) => value > Number(state.position)));
    }
    state = step.state;
  }
  return { applied, steps };
}

/**
 * The same answer without the rules: the true history is what each publisher appended while it was the
 * newest to have opened, and a transaction counts once its last piece is there.
 */
function bruteForce(topic: readonly Entry[], start: number): number[] {
  const seen = new Set<number>();
  let newestOpen = 0;
  for (const [index, entry] of topic.entries()) {
    if (entry.kind === "open") newestOpen = index;
    if (Number(entry.open ?? index) !== newestOpen) continue;
    if (entry.kind === "transactions" || entry.kind === "end")
      entry.transactions.forEach((value) => seen.add(value));
  }
  return [...seen].filter((value) => value > start).sort((left, right) => left - right);
}

const lives = fc.array(
  fc.record<Life>({
    dice: fc.array(fc.nat({ max: 200 }), { maxLength: 12 }),
    stragglers: fc.array(fc.nat({ max: 200 }), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 5 },
);
const stateAt = (value: number, open: Offset | null = null): ChainState => ({
  epoch: EPOCH,
  open,
  position: at(value),
  begin: null,
});

describe("any interleaving of publishers, restarts and duplicates", () => {
  test("a reader from the beginning applies each transaction once, in order, without a gap", () => {
    fc.assert(
      fc.property(lives, (all) => {
        const topic = topicOf(all);
        const { applied, steps } = read(topic, 0, stateAt(0));
        expect(steps).not.toContain("gap");
        expect(applied).toEqual(bruteForce(topic, 0));
      }),
      { numRuns: 3_000 },
    );
  });

  test("a reader that comes back anywhere, by find, ends the same", async () => {
    await fc.assert(
      fc.asyncProperty(lives, fc.nat({ max: LAST }), async (all, back) => {
        const topic = topicOf(all);
        const end = bruteForce(topic, 0).at(-1) ?? 0;
        const start = Math.min(back, end);
        const from = await find(
          logOf(topic),
          { epoch: EPOCH, position: at(start) },
          compare,
          new AbortController().signal,
        );
        // Offsets where a straggler could have been applied before its successor's open was seen give true
        // history too, only cut differently: what counts is that nothing is missing, doubled or out of order.
        const { applied, steps } = read(topic, Number(from), stateAt(start));
        expect(steps).not.toContain("gap");
        expect(applied).toEqual(Array.from({ length: applied.length }, (_, index) => start + 1 + index));
        expect(applied.length).toBeGreaterThanOrEqual(end - start);
      }),
      { numRuns: 1_500 },
    );
  });

  test("find is the first record above a position, as a linear scan has it", async () => {
    await fc.assert(
      fc.asyncProperty(lives, fc.nat({ max: LAST }), fc.nat({ max: 20 }), async (all, start, trim) => {
        const topic = topicOf(all.map((life) => ({ ...life, stragglers: [] })));
        const first = Math.min(trim, topic.length);
        const found = await find(
          logOf(topic, first),
          { epoch: EPOCH, position: at(start) },
          compare,
          new AbortController().signal,
        );
        const index = topic.findIndex(
          (entry, place) => place >= first && entry.position !== null && Number(entry.position) > start,
        );
        const expected = index < 0 ? topic.length : (topic[index]?.begin ?? index);
        expect(Number(found)).toBe(Number(expected));
      }),
      { numRuns: 1_500 },
    );
  });
});

describe("each step", () => {
  const step = (state: ChainState, place: number, entry: Entry): ChainStep =>
    nextStep(state, offset(place), entry, compare);

  test("what follows without a gap is applied; what lies above one is not", () => {
    const record = header({ kind: "transactions", previous: at(5), position: at(7) });
    expect(step(stateAt(5), 9, record).kind).toBe("apply");
    expect(step(stateAt(6), 9, record).kind).toBe("apply");
    expect(step(stateAt(7), 9, record).kind).toBe("pass");
    expect(step(stateAt(4), 9, record)).toEqual({ kind: "gap", previous: at(5) });
  });

  test("what a former publisher appends behind its successor's open is dropped", () => {
    const late = header({ kind: "transactions", open: offset(3), previous: at(5), position: at(7) });
    expect(step(stateAt(5, offset(8)), 9, late)).toEqual({ kind: "drop" });
  });

  test("another history under the same number is a conflict, a lower epoch is dropped, a skipped one a gap", () => {
    const record = header({ kind: "transactions", previous: at(5), position: at(7) });
    expect(step(stateAt(5), 9, { ...record, epoch: { number: 1, id: "other" } }).kind).toBe("conflict");
    expect(step({ ...stateAt(5), epoch: { number: 2, id: "two" } }, 9, record).kind).toBe("drop");
    expect(step(stateAt(5), 9, { ...record, epoch: { number: 2, id: "two" } }).kind).toBe("gap");
    expect(
      step(stateAt(5), 9, header({ kind: "open", open: null, epoch: { number: 2, id: "two" } })).kind,
    ).toBe("gap");
  });

  test("the next epoch is entered exactly at the former's end", () => {
    const epoch = { number: 2, id: "two" };
    const record = header({ kind: "epoch", epoch, previous: at(5), position: at(100) });
    expect(step(stateAt(5), 9, record)).toMatchObject({ kind: "pass", state: { epoch, position: at(100) } });
    expect(step(stateAt(4), 9, record).kind).toBe("gap");
    expect(step(stateAt(6), 9, record).kind).toBe("conflict");
  });

  test("a large transaction is contained only where its commit starts strictly below the position", () => {
    const begin = (start: number): Entry =>
      header({ kind: "begin", previous: at(3), commitStart: at(start) });
    expect(step(stateAt(5), 9, begin(4)).kind).toBe("drop");
    expect(step(stateAt(5), 9, begin(5)).kind).toBe("apply"); // Adjacent: it starts where the last one ended.
  });

  test("pieces of an unfinished transaction are dropped once anything else came", () => {
    const begun = step(stateAt(5), 9, header({ kind: "begin", previous: at(5), commitStart: at(5) }));
    if (begun.kind !== "apply") return expect.unreachable();
    const idle = step(begun.state, 10, header({ kind: "idle", previous: at(5), position: at(5) }));
    if (idle.kind !== "pass") return expect.unreachable();
    expect(step(idle.state, 11, header({ kind: "middle", begin: offset(9) }))).toEqual({ kind: "drop" });
    expect(step(begun.state, 11, header({ kind: "end", begin: offset(4), position: at(6) }))).toEqual({
      kind: "drop",
    });
  });
});

/** Just enough of a log to search in. */
function logOf(topic: readonly Entry[], first = 0): Pick<EventLog, "bounds" | "read"> {
  const entries = topic.map((entry, index): LogEntry => ({ offset: offset(index), ...encode(entry) }));
  return {
    bounds: async () => await Promise.resolve({ first: offset(first), next: offset(topic.length) }),
    read: async ({ from }) =>
      await Promise.resolve({
        entries: entries.slice(Number(from), Number(from) + 2),
        next: offset(Math.min(topic.length, Number(from) + 2)),
      }),
  };
}

/** Headers only: nothing here reads a value. */
function encode(entry: Entry): EncodedRecord {
  const { headers } = encodeRecord(
    { kind: "open", epoch: null },
    { epoch: entry.epoch, run: entry.run, open: entry.open },
  );
  const optional = {
    previous: entry.previous,
    position: entry.position,
    begin: entry.begin,
    start: entry.commitStart,
  };
  const present = Object.entries(optional).filter(([, value]) => value !== null);
  return {
    headers: {
      ...headers,
      kind: entry.kind,
      ...Object.fromEntries(present.map(([name, value]) => [name, String(value)])),
    },
    value: Buffer.alloc(0),
  };
}

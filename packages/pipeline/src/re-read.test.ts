import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  encodeRecord,
  offset,
  position,
  type ComparePositions,
  type LogRecord,
  type Offset,
  type Position,
  type SourceBatch,
  type Table,
  type Transaction,
  type WrittenSelection,
} from "@lockstep/core";
import { MemoryTopic, silentLogger } from "@lockstep/testkit";
import { ReRead } from "./re-read.ts";

/* Positions of these tests are whole numbers; transaction n commits at n, its commit record starts at n - 1. */
const at = (value: number): Position => position(String(value));
const compare: ComparePositions = (left, right) =>
  Number(left) < Number(right) ? "before" : Number(left) > Number(right) ? "after" : "same";
const EPOCH = { number: 1, id: "one" };
const TABLES: ReadonlyMap<number, Table> = new Map([
  [
    0,
    {
      id: 0,
      schema: "public",
      name: "t",
      columns: [{ name: "id", type: "int32", nativeType: "integer", isKey: true }],
    },
  ],
]);
const LAST = 12;

const transaction = (value: number): Transaction => ({
  position: at(value),
  xid: String(700 + value),
  committedAtUs: 1_000_000 * value,
  events: [{ kind: "insert", table: 0, after: [String(value)] }],
});

/** One way to write history down: how many transactions go together, or 0 for one in pieces. */
type Cut = readonly number[];

/** A topic that holds the transactions 1 to `LAST`, and where its last record ends. */
function topicOf(cuts: Cut, diesInside: boolean): MemoryTopic {
  const topic = new MemoryTopic();
  topic.exists = true;
  let open: Offset = offset(0);
  const put = (record: LogRecord): Offset =>
    topic.append(encodeRecord(record, { epoch: EPOCH, run: "run", open }), 1);
  const reopen = (): void => {
    open = topic.append(
      encodeRecord({ kind: "open", epoch: null }, { epoch: EPOCH, run: "run", open: null }),
      1,
    );
  };
  reopen();
  let reached = 0;
  for (let index = 0; reached < LAST; index++) {
    const size = cuts[index % cuts.length] ?? 1;
    const previous = at(reached);
    const common = { tables: TABLES, events: transaction(reached + 1).events };
    if (size === 0) {
      const { events: _, ...last } = transaction(reached + 1);
      const begins = { kind: "begin", xid: last.xid, commitStart: at(reached), previous, ...common } as const;
      if (diesInside) {
        put(begins);
        reopen();
      }
      const begin = put(begins);
      put({ kind: "middle", begin, ...common });
      put({ kind: "end", begin, ...common, previous, position: last.position, last });
      reached += 1;
      continue;
    }
    const count = Math.min(size, LAST - reached);
    const [first, ...rest] = Array.from({ length: count }, (_, step) => transaction(reached + 1 + step));
    if (first === undefined) break;
    reached += count;
    const last = rest.at(-1) ?? first;
    put({
      kind: "transactions",
      tables: TABLES,
      transactions: [first, ...rest],
      previous,
      position: at(reached),
      last,
    });
  }
  return topic;
}

/** What a source streams from `start` on, cut in its own way, a little beyond the topic's end. */
function* streamOf(all: readonly Transaction[], cuts: Cut): Generator<SourceBatch, void, undefined> {
  const sent = { tables: TABLES, bytes: 1, lagMs: 0, decodeMs: 0 };
  for (let from = 0, index = 0; from < all.length; index++) {
    const size = cuts[index % cuts.length] ?? 1;
    const [first] = all.slice(from);
    if (first === undefined) return;
    if (size === 0) {
      const { events, ...last } = first;
      yield {
        kind: "begin",
        xid: first.xid,
        commitStart: at(Number(first.position) - 1),
        committedAtUs: 0,
        events,
        ...sent,
      };
      yield { kind: "middle", events, ...sent };
      yield { kind: "end", events, last, ...sent };
      from += 1;
      continue;
    }
    const transactions = all.slice(from, from + size);
    from += transactions.length;
    const last = transactions.at(-1)?.position ?? at(0);
    yield { kind: "transactions", transactions, position: last, isUrgent: false, ...sent };
  }
}

async function reRead(
  topic: MemoryTopic,
  start: number,
  batches: Iterable<SourceBatch>,
  chosenThrough: number | null = null,
): Promise<string[]> {
  const options = {
    log: topic.open(),
    epoch: EPOCH,
    compare,
    start: at(start),
    reached: at(LAST),
    selections: chosenThrough === null ? [] : selectionsThrough(chosenThrough),
    logger: silentLogger,
  };
  const reading = new ReRead(options, AbortSignal.timeout(10_000));
  const left: string[] = [];
  for (const batch of batches) {
    const rest = await reading.without(batch);
    if (rest?.kind === "transactions") left.push(...rest.transactions.map(({ xid }) => xid));
    if (rest?.kind === "end") left.push(rest.last.xid);
    expect(rest === null || reading.isOver || rest.kind === "transactions").toBe(true);
  }
  expect(reading.isOver).toBe(true);
  return left;
}

/** Another selection, which left the table out, through a position. */
function selectionsThrough(through: number): readonly WrittenSelection[] {
  return [
    { tables: { include: ["*.*"], exclude: ["public.t"] }, version: 1, since: null },
    { tables: { include: ["*.*"], exclude: [] }, version: 1, since: at(through) },
  ];
}

const history = (start: number): Transaction[] =>
  Array.from({ length: LAST + 3 - start }, (_, index) => transaction(start + 1 + index));
const cuts = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 });
const starts = fc.nat({ max: LAST });

describe("what is read again", () => {
  test("is left out, however topic and source are cut, and what lies above is not", async () => {
    await fc.assert(
      fc.asyncProperty(cuts, cuts, starts, fc.boolean(), async (topicCuts, sourceCuts, start, dies) => {
        const left = await reRead(topicOf(topicCuts, dies), start, streamOf(history(start), sourceCuts));
        expect(left).toEqual([LAST + 1, LAST + 2, LAST + 3].map((value) => String(700 + value)));
      }),
      { numRuns: 500 },
    );
  });

  const spoilt: readonly (readonly [string, (mark: Transaction) => Transaction[]])[] = [
    ["is missing", () => []],
    ["has another xid", (mark) => [{ ...mark, xid: "1" }]],
    ["was committed at another time", (mark) => [{ ...mark, committedAtUs: 1 }]],
    [
      "stands at another position",
      (mark) => [{ ...mark, position: position(`${Number(mark.position) - 0.5}`) }],
    ],
    [
      "comes with one more",
      (mark) => [{ ...mark, position: position(`${Number(mark.position) - 0.5}`) }, mark],
    ],
  ];
  test.each(spoilt)("must be the same: a transaction %s", async (_, spoil) => {
    await fc.assert(
      fc.asyncProperty(
        cuts,
        cuts,
        fc.nat({ max: LAST - 1 }),
        fc.nat(),
        async (topicCuts, sourceCuts, start, pick) => {
          const which = start + 1 + (pick % (LAST - start));
          const other = history(start).flatMap((mark) =>
            mark.position === at(which) ? spoil(mark) : [mark],
          );
          await expect(
            reRead(topicOf(topicCuts, false), start, streamOf(other, sourceCuts)),
          ).rejects.toMatchObject({ code: "history-diverged" });
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each(spoilt)(
    "and where it was told by another choice, if both have it: a transaction %s",
    async (what, spoil) => {
      const isAnother = what.startsWith("has") || what.startsWith("was");
      const through = fc.nat({ max: LAST });
      await fc.assert(
        fc.asyncProperty(
          cuts,
          cuts,
          fc.nat({ max: LAST - 1 }),
          fc.nat(),
          through,
          async (topicCuts, sourceCuts, start, pick, chosen) => {
            const which = start + 1 + (pick % (LAST - start));
            const other = history(start).flatMap((mark) =>
              mark.position === at(which) ? spoil(mark) : [mark],
            );
            const left = reRead(topicOf(topicCuts, false), start, streamOf(other, sourceCuts), chosen);
            if (isAnother || which > chosen)
              await expect(left).rejects.toMatchObject({ code: "history-diverged" });
            else
              expect(await left).toEqual([LAST + 1, LAST + 2, LAST + 3].map((value) => String(700 + value)));
          },
        ),
        { numRuns: 300 },
      );
    },
  );
});

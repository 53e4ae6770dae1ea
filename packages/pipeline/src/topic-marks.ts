import {
  find,
  includes,
  nextStep,
  tablesNamed,
  type ChainState,
  type ComparePositions,
  type EpochRef,
  type EventLog,
  type Offset,
  type Position,
  type TableName,
  type TransactionMark,
} from "@lockstep/core";
import { DecodedEntry } from "./decoded-entry.ts";

const READ_BYTES = 1024 * 1024;

export interface TopicMarksOptions {
  readonly log: EventLog;
  readonly epoch: EpochRef;
  readonly compare: ComparePositions;
  /** Transactions above this … */
  readonly above: Position;
  /** … and at or below this. */
  readonly through: Position;
}

/** A transaction, and which tables it names; of one that came in pieces: null. */
export interface MarkedTransaction {
  readonly mark: TransactionMark;
  readonly tables: (() => Iterable<TableName>) | null;
}

/** Which transactions the topic holds in a stretch of the source's log, in their order, as an applier reads them. */
export class TopicMarks {
  readonly #options: TopicMarksOptions;
  readonly #marks: AsyncGenerator<MarkedTransaction, void, undefined>;
  #from: Position;

  constructor(options: TopicMarksOptions, signal: AbortSignal) {
    this.#options = options;
    this.#from = options.above;
    this.#marks = this.#read(signal);
  }

  /** Where the topic begins to tell of the stretch, known after the first `next`: what lies before was trimmed, or never in it. */
  get from(): Position {
    return this.#from;
  }

  /** The next transaction, or null at the end of the stretch. */
  async next(): Promise<MarkedTransaction | null> {
    const { value } = await this.#marks.next();
    return value ?? null;
  }

  async *#read(signal: AbortSignal): AsyncGenerator<MarkedTransaction, void, undefined> {
    const { epoch, compare, above, through } = this.#options;
    let state: ChainState = { epoch, position: above, open: null, begin: null };
    for await (const entry of this.#entries(signal)) {
      let step = nextStep(state, entry.offset, entry.headers, compare);
      if (step.kind === "gap" && step.previous !== null && this.#from === state.position) {
        this.#from = step.previous;
        state = { ...state, position: step.previous };
        step = nextStep(state, entry.offset, entry.headers, compare);
      }
      if (step.kind !== "apply" && step.kind !== "pass") continue;
      if (step.kind === "apply") yield* marksOf(entry, state.position, compare);
      ({ state } = step);
      // A source may read again what lies before the topic's beginning.
      if (entry.headers.kind === "epoch" && this.#from === above) this.#from = state.position;
      if (includes(compare, state.position, through)) return;
    }
  }

  async *#entries(signal: AbortSignal): AsyncGenerator<DecodedEntry, void, undefined> {
    const { log, epoch, above, compare } = this.#options;
    const { next } = await log.bounds(signal);
    let at: Offset = await find(log, { epoch, position: above }, compare, signal);
    while (at < next) {
      const chunk = await log.read({ from: at, maxBytes: READ_BYTES, maxWaitMs: 0 }, signal);
      if (chunk.entries.length === 0) return;
      for (const entry of chunk.entries) yield new DecodedEntry(entry);
      at = chunk.next;
    }
  }
}

function* marksOf(
  entry: DecodedEntry,
  above: Position,
  compare: ComparePositions,
): Generator<MarkedTransaction, void, undefined> {
  const { record } = entry;
  if (record.kind === "end" && record.last !== null) yield { mark: record.last, tables: null };
  if (record.kind !== "transactions") return;
  for (const transaction of record.transactions) {
    if (!includes(compare, above, transaction.position))
      yield { mark: transaction, tables: () => tablesNamed(record.tables, [transaction]).values() };
  }
}

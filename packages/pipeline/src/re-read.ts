import {
  includes,
  isChosenThroughout,
  tablesNamed,
  type ComparePositions,
  type EpochRef,
  type EventLog,
  type Logger,
  type Position,
  type SourceBatch,
  type TableName,
  type TransactionMark,
  type WrittenSelection,
} from "@lockstep/core";
import { historyDiverged } from "./history-errors.ts";
import { TopicMarks, type MarkedTransaction } from "./topic-marks.ts";

export interface ReReadOptions {
  readonly log: EventLog;
  readonly epoch: EpochRef;
  readonly compare: ComparePositions;
  /** Where the source's stream begins. */
  readonly start: Position;
  /** Where the topic ends. */
  readonly reached: Position;
  /** What the topic was and is written by: what is read again is told by the last of them. */
  readonly selections: readonly WrittenSelection[];
  readonly logger: Logger;
}

/**
 * What a source reads again after a restart is in the topic already: it is left out (A4), and must be the very
 * same transactions, both ways (A2). Another history under the same name shows here.
 */
export class ReRead {
  readonly #options: ReReadOptions;
  readonly #topic: TopicMarks;
  #isOver: boolean;
  #compared = 0;
  /** Of tables that are told of by one selection and not by another. */
  #inOne = 0;
  /** Within a large transaction that the topic has. */
  #isSkipping = false;

  constructor(options: ReReadOptions, signal: AbortSignal) {
    const { log, epoch, compare, start, reached } = options;
    this.#options = options;
    this.#topic = new TopicMarks({ log, epoch, compare, above: start, through: reached }, signal);
    this.#isOver = includes(compare, start, reached);
    if (this.#isOver)
      options.logger.info({ position: reached }, "nothing is read again, so nothing to compare");
  }

  /** Everything that the topic has was read again and is the same. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** What of the batch lies above the topic's end; null when nothing is left. Rejects with `history-diverged`. */
  async without(batch: SourceBatch): Promise<SourceBatch | null> {
    if (this.#isOver) return batch;
    if (batch.kind === "transactions") return await this.#withoutTransactions(batch);
    if (batch.kind === "begin") {
      // Contained only if strictly below: a commit record may start exactly where another ends.
      this.#isSkipping = this.#options.compare(batch.commitStart, this.#options.reached) === "before";
      if (!this.#isSkipping) await this.#finish();
    }
    if (batch.kind === "end" && this.#isSkipping) {
      this.#isSkipping = false;
      await this.#expect({ mark: batch.last, tables: null });
      if (this.#reaches(batch.last.position)) await this.#finish();
      return null;
    }
    return this.#isSkipping ? null : batch;
  }

  async #withoutTransactions(batch: Extract<SourceBatch, { kind: "transactions" }>): Promise<SourceBatch> {
    const { compare, reached } = this.#options;
    const isKnown = (mark: TransactionMark): boolean => includes(compare, reached, mark.position);
    for (const transaction of batch.transactions) {
      if (!isKnown(transaction)) continue;
      const tables = (): Iterable<TableName> => tablesNamed(batch.tables, [transaction]).values();
      await this.#expect({ mark: transaction, tables });
    }
    if (this.#reaches(batch.position)) await this.#finish();
    return { ...batch, transactions: batch.transactions.filter((transaction) => !isKnown(transaction)) };
  }

  /** The source is at or above the topic's end. */
  #reaches(position: Position): boolean {
    return includes(this.#options.compare, position, this.#options.reached);
  }

  async #expect(found: MarkedTransaction): Promise<void> {
    const { compare } = this.#options;
    const expected = await this.#expected(found.mark);
    // What the topic no longer tells of cannot be compared.
    if (includes(compare, this.#topic.from, found.mark.position)) return;
    if (expected !== null && isSame(expected, found.mark)) {
      this.#next = null;
      this.#compared += 1;
      return;
    }
    const isElsewhere = expected === null || compare(found.mark.position, expected.position) === "before";
    if (!isElsewhere || this.#isInBoth(found)) throw historyDiverged(found.mark, expected);
    this.#inOne += 1;
  }

  /** What the topic has next; passes over what was told of before `found` and is not any more. */
  async #expected(found: TransactionMark | null): Promise<TransactionMark | null> {
    const { compare } = this.#options;
    for (;;) {
      this.#next ??= this.#topic.next();
      const expected = await this.#next;
      if (expected === null) return null;
      const isPassed = found === null || compare(expected.mark.position, found.position) === "before";
      if (!isPassed || this.#isInBoth(expected)) return expected.mark;
      this.#next = null;
      this.#inOne += 1;
    }
  }

  #isInBoth({ mark, tables }: MarkedTransaction): boolean {
    const { selections, compare } = this.#options;
    const isAbove = (since: Position): boolean => !includes(compare, since, mark.position);
    return isChosenThroughout(selections, isAbove, tables ?? (() => []));
  }

  async #finish(): Promise<void> {
    const expected = await this.#expected(null);
    if (expected !== null) throw historyDiverged(null, expected);
    this.#isOver = true;
    const { logger, start, reached } = this.#options;
    const counted = { transactions: this.#compared, chosenOtherwise: this.#inOne };
    logger.info({ start, reached, ...counted }, "what was read again equals the topic");
  }

  #next: Promise<MarkedTransaction | null> | null = null;
}

function isSame(left: TransactionMark, right: TransactionMark): boolean {
  return (
    left.position === right.position && left.xid === right.xid && left.committedAtUs === right.committedAtUs
  );
}

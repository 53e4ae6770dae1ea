import {
  includes,
  type ComparePositions,
  type EpochRef,
  type EventLog,
  type Logger,
  type Position,
  type SourceBatch,
  type TransactionMark,
} from "@lockstep/core";
import { historyDiverged } from "./history-errors.ts";
import { TopicMarks } from "./topic-marks.ts";

export interface ReReadOptions {
  readonly log: EventLog;
  readonly epoch: EpochRef;
  readonly compare: ComparePositions;
  /** Where the source's stream begins. */
  readonly start: Position;
  /** Where the topic ends. */
  readonly reached: Position;
  /** Through here the topic was written by another choice of what to tell, and may lack transactions, or have more. */
  readonly chosenThrough: Position | null;
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
      await this.#expect(batch.last);
      if (this.#reaches(batch.last.position)) await this.#finish();
      return null;
    }
    return this.#isSkipping ? null : batch;
  }

  async #withoutTransactions(batch: Extract<SourceBatch, { kind: "transactions" }>): Promise<SourceBatch> {
    const { compare, reached } = this.#options;
    const isKnown = (mark: TransactionMark): boolean => includes(compare, reached, mark.position);
    for (const transaction of batch.transactions) if (isKnown(transaction)) await this.#expect(transaction);
    if (this.#reaches(batch.position)) await this.#finish();
    return { ...batch, transactions: batch.transactions.filter((transaction) => !isKnown(transaction)) };
  }

  /** The source is at or above the topic's end. */
  #reaches(position: Position): boolean {
    return includes(this.#options.compare, position, this.#options.reached);
  }

  async #expect(found: TransactionMark): Promise<void> {
    const expected = await this.#expected(found);
    // What the topic no longer tells of cannot be compared.
    if (includes(this.#options.compare, this.#topic.from, found.position)) return;
    if (expected !== null && isSame(expected, found)) {
      this.#next = null;
      this.#compared += 1;
      return;
    }
    const isElsewhere =
      expected === null || this.#options.compare(found.position, expected.position) === "before";
    if (!isElsewhere || !this.#isChosenOtherwise(found)) throw historyDiverged(found, expected);
  }

  /** What the topic has next; passes over what another choice has told of before `found`. */
  async #expected(found: TransactionMark | null): Promise<TransactionMark | null> {
    const { compare } = this.#options;
    for (;;) {
      this.#next ??= this.#topic.next();
      const expected = await this.#next;
      if (expected === null || !this.#isChosenOtherwise(expected)) return expected;
      if (found !== null && compare(expected.position, found.position) !== "before") return expected;
      this.#next = null;
    }
  }

  #isChosenOtherwise({ position }: TransactionMark): boolean {
    const { chosenThrough, compare } = this.#options;
    return chosenThrough !== null && includes(compare, chosenThrough, position);
  }

  async #finish(): Promise<void> {
    const expected = await this.#expected(null);
    if (expected !== null) throw historyDiverged(null, expected);
    this.#isOver = true;
    const { logger, start, reached } = this.#options;
    logger.info({ start, reached, transactions: this.#compared }, "what was read again equals the topic");
  }

  #next: Promise<TransactionMark | null> | null = null;
}

function isSame(left: TransactionMark, right: TransactionMark): boolean {
  return (
    left.position === right.position && left.xid === right.xid && left.committedAtUs === right.committedAtUs
  );
}

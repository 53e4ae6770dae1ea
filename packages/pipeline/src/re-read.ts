import { includes, type ComparePositions, type Position, type SourceBatch } from "@lockstep/core";

/** Leaves out what a source reads again after a restart and the topic has already (A4). */
export class ReRead {
  readonly #compare: ComparePositions;
  readonly #reached: Position;
  #isOver = false;
  /** Within a large transaction that the topic has. */
  #isSkipping = false;

  constructor(compare: ComparePositions, reached: Position) {
    this.#compare = compare;
    this.#reached = reached;
  }

  /** What of the batch lies above the topic's end; null when nothing is left to say of it. */
  without(batch: SourceBatch): SourceBatch | null {
    if (this.#isOver) return batch;
    if (batch.kind === "transactions") {
      const transactions = batch.transactions.filter(
        (transaction) => !includes(this.#compare, this.#reached, transaction.position),
      );
      this.#isOver = transactions.length > 0;
      return { ...batch, transactions };
    }
    if (batch.kind === "begin") {
      // Contained only if strictly below: a commit record may start exactly where another ends.
      this.#isSkipping = this.#compare(batch.commitStart, this.#reached) === "before";
      this.#isOver = !this.#isSkipping;
    }
    return this.#isSkipping ? null : batch;
  }
}

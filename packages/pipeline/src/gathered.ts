import type { Position, SourceBatch, Table, Transaction } from "@lockstep/core";

/** What has arrived from the source and is not in an append yet. */
export class Gathered {
  #batches: SourceBatch[] = [];
  #bytes = 0;
  #position: Position | null = null;
  #isUrgent = false;

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is a transaction to append. */
  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** Where the source is; null before its first word. */
  get position(): Position | null {
    return this.#position;
  }

  /** The source waits to hear of its position. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** How far behind its source the newest gathered transaction is. */
  get lagMs(): number {
    return this.#batches.at(-1)?.lagMs ?? 0;
  }

  add(batch: SourceBatch): void {
    this.#position = batch.position;
    this.#isUrgent ||= batch.isUrgent;
    if (batch.transactions.length === 0) return;
    this.#batches.push(batch);
    this.#bytes += batch.bytes;
  }

  /** Takes the oldest batches that fill a record, at least one. */
  take(recordBytes: number): { tables: ReadonlyMap<number, Table>; transactions: Transaction[] } | null {
    const [first] = this.#batches;
    if (first === undefined) return null;
    let count = 0;
    let bytes = 0;
    // One stream has one registry of tables; a batch of another would not fit in.
    while (
      count < this.#batches.length &&
      bytes < recordBytes &&
      this.#batches[count]?.tables === first.tables
    ) {
      bytes += this.#batches[count]?.bytes ?? 0;
      count += 1;
    }
    const taken = this.#batches.splice(0, count);
    this.#bytes -= bytes;
    return { tables: first.tables, transactions: taken.flatMap((batch) => batch.transactions) };
  }

  /** The source was told of its position. */
  settle(): void {
    this.#isUrgent = false;
  }
}

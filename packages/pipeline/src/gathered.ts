import type { Position, SourceBatch, SourcePiece, Table, Transaction } from "@lockstep/core";

/** What becomes one record: transactions that queued up, or a piece of a large one. */
export type Taken = TakenTransactions | SourcePiece;

export interface TakenTransactions {
  readonly kind: "transactions";
  readonly tables: ReadonlyMap<number, Table>;
  readonly transactions: readonly Transaction[];
}

/** What has arrived from the source and is not in an append yet. */
export class Gathered {
  #batches: SourceBatch[] = [];
  #bytes = 0;
  #position: Position | null = null;
  #isUrgent = false;

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is something to append. */
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

  /** When the oldest transaction that is gathered was committed; null when there is none, or only later pieces of one. */
  get sinceUs(): number | null {
    const [first] = this.#batches;
    if (first?.kind === "transactions") return first.transactions[0]?.committedAtUs ?? null;
    return first?.kind === "begin" ? first.committedAtUs : null;
  }

  add(batch: SourceBatch): void {
    if (batch.kind === "transactions") {
      this.#position = batch.position;
      this.#isUrgent ||= batch.isUrgent;
      if (batch.transactions.length === 0) return;
    } else if (batch.kind === "end") this.#position = batch.last.position;
    this.#batches.push(batch);
    this.#bytes += batch.bytes;
  }

  /** Takes the oldest batches that fill a record, at least one; a piece goes alone. */
  take(recordBytes: number): Taken | null {
    const [first] = this.#batches;
    if (first === undefined) return null;
    if (first.kind !== "transactions") {
      this.#batches.shift();
      this.#bytes -= first.bytes;
      return first;
    }
    const transactions: Transaction[] = [];
    let bytes = 0;
    for (;;) {
      const [next] = this.#batches;
      // One stream has one registry of tables; a batch of another would not fit in.
      if (next?.kind !== "transactions" || next.tables !== first.tables) break;
      if (bytes > 0 && bytes + next.bytes > recordBytes) break;
      this.#batches.shift();
      bytes += next.bytes;
      transactions.push(...next.transactions);
    }
    this.#bytes -= bytes;
    return { kind: "transactions", tables: first.tables, transactions };
  }

  /** The source was told of its position. */
  settle(): void {
    this.#isUrgent = false;
  }
}

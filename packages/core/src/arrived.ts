import type { Table, Transaction } from "./event.ts";
import type { Position } from "./position.ts";
import type { SourceBatch, SourcePiece } from "./source.ts";

/** A larger batch holds one transaction only: so who makes records of batches can choose their size. */
const BATCH_BYTES = 128 * 1024;

/** A piece as it was decoded. */
export type DecodedPiece = DistributiveOmit<SourcePiece, "lagMs" | "decodeMs">;

/** What a source has decoded and nobody has pulled yet. */
export class Arrived {
  readonly #tables: ReadonlyMap<number, Table>;
  /** Batches that were closed because a piece came. */
  #closed: SourceBatch[] = [];
  #transactions: Transaction[] = [];
  /** Bytes of log of each of them. */
  #sizes: number[] = [];
  #isUrgent = false;
  #position: Position | null = null;
  #delivered: Position | null = null;
  #bytes = 0;
  /** How long after its commit the newest transaction was sent. */
  lagUs = 0;
  /** Spent on what is in no batch yet. */
  decodeMs = 0;

  constructor(tables: ReadonlyMap<number, Table>) {
    this.#tables = tables;
  }

  /** How many bytes of log are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A batch was closed by a piece of a large transaction. */
  get isLarge(): boolean {
    return this.#closed.length > 0;
  }

  /** Everything through `position` has been decoded; it never moves back. */
  moveTo(position: Position): void {
    this.#position = position;
  }

  add(transaction: Transaction, bytes: number): void {
    this.#transactions.push(transaction);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** Goes alone, behind what came before it. When it is the last one, the position has been moved already. */
  addPiece(piece: DecodedPiece): void {
    if (piece.kind === "begin")
      for (let batch = this.#takeTransactions(); batch !== null; batch = this.#takeTransactions())
        this.#closed.push(batch);
    this.#closed.push({ ...piece, lagMs: this.lagUs / 1_000, decodeMs: this.#takeDecodeMs() });
    this.#bytes += piece.bytes;
    if (piece.kind === "end") this.#delivered = this.#position;
  }

  /** The server waits to hear of the position. */
  press(): void {
    this.#isUrgent = true;
  }

  /** The next batch; null when there is no news. */
  take(): SourceBatch | null {
    const batch = this.#closed.shift() ?? this.#takeTransactions();
    this.#bytes -= batch?.bytes ?? 0;
    return batch;
  }

  #takeTransactions(): SourceBatch | null {
    const position = this.#position;
    if (position === null) return null;
    if (position === this.#delivered && !this.#isUrgent && this.#transactions.length === 0) return null;
    const { count, bytes } = this.#batchSize();
    const transactions = this.#transactions.splice(0, count);
    this.#sizes.splice(0, count);
    const last = this.#transactions.length > 0 ? transactions.at(-1) : undefined;
    const batch: SourceBatch = {
      kind: "transactions",
      tables: this.#tables,
      transactions,
      position: last?.position ?? position,
      bytes,
      lagMs: this.lagUs / 1_000,
      decodeMs: this.#takeDecodeMs(),
      isUrgent: this.#isUrgent && last === undefined,
    };
    if (last === undefined) this.#isUrgent = false;
    this.#delivered = batch.position;
    return batch;
  }

  /** How many transactions make the next batch: one, or as many as it has room for. */
  #batchSize(): { readonly count: number; readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const size of this.#sizes) {
      if (count > 0 && bytes + size > BATCH_BYTES) break;
      count += 1;
      bytes += size;
    }
    return { count, bytes };
  }

  #takeDecodeMs(): number {
    const ms = this.decodeMs;
    this.decodeMs = 0;
    return ms;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

import type { Table, Transaction } from "./event.ts";
import type { Position } from "./position.ts";
import type { SourceBatch, SourcePiece } from "./source.ts";

/** A piece as it was decoded. */
export type DecodedPiece = DistributiveOmit<SourcePiece, "lagMs" | "decodeMs">;

/** What a source has decoded and nobody has pulled yet. */
export class Arrived {
  readonly #tables: ReadonlyMap<number, Table>;
  /** Batches that were closed because a piece came. */
  #closed: SourceBatch[] = [];
  #transactions: Transaction[] = [];
  #isUrgent = false;
  #position: Position | null = null;
  #delivered: Position | null = null;
  /** Of the transactions that are in no batch yet. */
  #transactionBytes = 0;
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
    this.#transactionBytes += bytes;
    this.#bytes += bytes;
  }

  /** Goes alone, behind what came before it. When it is the last one, the position has been moved already. */
  addPiece(piece: DecodedPiece): void {
    const before = piece.kind === "begin" ? this.#takeTransactions() : null;
    if (before !== null) this.#closed.push(before);
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
    if (position === null || (position === this.#delivered && !this.#isUrgent)) return null;
    const batch: SourceBatch = {
      kind: "transactions",
      tables: this.#tables,
      transactions: this.#transactions,
      position,
      bytes: this.#transactionBytes,
      lagMs: this.lagUs / 1_000,
      decodeMs: this.#takeDecodeMs(),
      isUrgent: this.#isUrgent,
    };
    this.#transactions = [];
    this.#transactionBytes = 0;
    this.#isUrgent = false;
    this.#delivered = position;
    return batch;
  }

  #takeDecodeMs(): number {
    const ms = this.decodeMs;
    this.decodeMs = 0;
    return ms;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

import type { Position, SourceBatch, Table, Transaction } from "@lockstep/core";
import { later } from "../position.ts";
import type { DecodedPiece } from "./pgoutput.ts";

/** What has been decoded and not been pulled yet. */
export class Arrived {
  readonly #tables: ReadonlyMap<number, Table>;
  /** Batches that were closed because a piece came. */
  #closed: SourceBatch[] = [];
  #transactions: Transaction[] = [];
  #isUrgent = false;
  #position: Position | null = null;
  #delivered: Position | null = null;
  /** Received since the last batch was taken. */
  bytes = 0;
  /** How long after its commit the newest transaction was sent. */
  lagUs = 0;

  constructor(tables: ReadonlyMap<number, Table>) {
    this.#tables = tables;
  }

  /** Everything through `position` has been decoded. */
  moveTo(position: Position): void {
    this.#position = later(this.#position, position);
  }

  add(transaction: Transaction): void {
    this.#transactions.push(transaction);
  }

  /** Goes alone, behind what came before it. When it is the last one, the position has been moved already. */
  addPiece(piece: DecodedPiece): void {
    const before = piece.kind === "begin" ? this.#takeTransactions() : null;
    if (before !== null) this.#closed.push(before);
    this.#closed.push({ ...piece, lagMs: this.lagUs / 1_000 });
    if (piece.kind === "end") this.#delivered = this.#position;
  }

  /** The server waits to hear of the position. */
  press(): void {
    this.#isUrgent = true;
  }

  /** The next batch; null when there is no news. */
  take(): SourceBatch | null {
    return this.#closed.shift() ?? this.#takeTransactions();
  }

  #takeTransactions(): SourceBatch | null {
    const position = this.#position;
    if (position === null || (position === this.#delivered && !this.#isUrgent)) return null;
    const batch: SourceBatch = {
      kind: "transactions",
      tables: this.#tables,
      transactions: this.#transactions,
      position,
      bytes: this.bytes,
      lagMs: this.lagUs / 1_000,
      isUrgent: this.#isUrgent,
    };
    this.#transactions = [];
    this.bytes = 0;
    this.#isUrgent = false;
    this.#delivered = position;
    return batch;
  }
}

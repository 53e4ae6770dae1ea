import { createHash, type Hash } from "node:crypto";
import { ReplicationError, tableLabel, type Row, type TableName } from "@lockstep/core";

/**
 * How much of one range of a table without a key is committed. Nothing tells such rows apart: when they are read again,
 * they must begin with the same ones, in the same order, which then are left out.
 */
export class CommittedRows {
  readonly #table: TableName;
  #count = 0;
  #digest = "";
  #read = 0;
  #hash: Hash = createHash("sha256");

  constructor(table: TableName) {
    this.#table = table;
  }

  /** The rows are read from their beginning; what was read and not committed is undone. */
  restart(): void {
    this.#read = 0;
    this.#hash = createHash("sha256");
  }

  /** Of the rows that were read next, those that are not committed. Throws `source-changed` where they cannot be told. */
  left(rows: readonly Row[]): readonly Row[] {
    const known = rows.slice(0, Math.max(this.#count - this.#read, 0));
    if (known.length === 0) return this.#take(rows);
    this.#take(known);
    if (this.#read === this.#count && this.#digestNow() !== this.#digest) throw this.#others();
    return this.#take(rows.slice(known.length));
  }

  /** All that was read is committed. */
  commit(): void {
    this.#count = this.#read;
    this.#digest = this.#digestNow();
  }

  /** There are no more rows. Throws `source-changed` where there were more of them before. */
  end(): void {
    if (this.#read < this.#count) throw this.#others();
  }

  #take(rows: readonly Row[]): readonly Row[] {
    for (const row of rows) this.#hash.update(`${JSON.stringify(row)}\n`);
    this.#read += rows.length;
    return rows;
  }

  #digestNow(): string {
    return this.#hash.copy().digest("hex");
  }

  #others(): ReplicationError {
    const table = tableLabel(this.#table);
    return new ReplicationError(
      "source-changed",
      `rows of ${table}, which has no key, came in another order when they were read again`,
      { fix: "it is copied again by itself", fields: { table } },
    );
  }
}

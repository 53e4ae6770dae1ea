import type { SnapshotTable } from "@lockstep/core";

/** How far the copies of a replica are, for people. Totals are the primary's estimates. */
export interface CopyStatus {
  readonly tables: number;
  readonly tablesDone: number;
  readonly rows: number;
  readonly rowsTotal: number;
  readonly bytes: number;
  /** From 0 to 1, by the tables' sizes on the primary's disk. */
  readonly done: number;
  readonly seconds: number;
  /** Null until it can be told. */
  readonly secondsLeft: number | null;
}

/** Before this an estimate of what is left jumps about. */
const LEAST_SECONDS = 2;

/** So much of a range counts before its end. */
const NEARLY = 0.95;

/** One range on its way. */
export interface RangeProgress {
  read(bytes: number): void;
  done(rows: number): void;
}

/** Counts what is copied. */
export class CopyProgress {
  #startedMs = performance.now();
  #tables = 0;
  #rowsTotal = 0;
  #diskBytes = 0;
  #tablesDone = 0;
  #rows = 0;
  #bytes = 0;
  #diskBytesDone = 0;

  /** Of these tables. */
  begin(tables: readonly SnapshotTable[]): void {
    this.#startedMs = performance.now();
    this.#tables = tables.length;
    this.#rowsTotal = tables.reduce((sum, { rows }) => sum + rows, 0);
    this.#diskBytes = tables.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Counts one range; `diskBytes` is its share of the whole. */
  range(diskBytes: number): RangeProgress {
    let counted = 0;
    const count = (to: number): void => {
      this.#diskBytesDone += to - counted;
      counted = to;
    };
    return {
      read: (bytes) => {
        this.#bytes += bytes;
        // Rows take about as many bytes on their way as on disk; only the end says that all were read.
        count(Math.min(counted + bytes, diskBytes * NEARLY));
      },
      done: (rows) => {
        this.#rows += rows;
        count(diskBytes);
      },
    };
  }

  tableDone(): void {
    this.#tablesDone += 1;
  }

  get status(): CopyStatus {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const isDone = this.#tables > 0 && this.#tablesDone === this.#tables;
    const done = isDone ? 1 : this.#diskBytes === 0 ? 0 : Math.min(1, this.#diskBytesDone / this.#diskBytes);
    const canTell = seconds >= LEAST_SECONDS && done > 0;
    return {
      tables: this.#tables,
      tablesDone: this.#tablesDone,
      rows: this.#rows,
      rowsTotal: Math.max(this.#rows, Math.round(this.#rowsTotal)),
      bytes: this.#bytes,
      done,
      seconds,
      secondsLeft: canTell ? (seconds / done) * (1 - done) : null,
    };
  }
}

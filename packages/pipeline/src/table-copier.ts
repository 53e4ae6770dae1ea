import {
  tableLabel,
  type CopyMark,
  type CopyTarget,
  type Logger,
  type Snapshot,
  type SnapshotTable,
  type TableCopy,
  type TableRange,
} from "@lockstep/core";
import type { CopyProgress } from "./copy-progress.ts";
import type { RateLimit } from "./rate-limit.ts";

export interface TableCopierOptions {
  readonly snapshot: Snapshot;
  readonly target: CopyTarget;
  readonly table: SnapshotTable;
  readonly mark: CopyMark;
  readonly limit: RateLimit;
  readonly progress: CopyProgress;
  readonly logger: Logger;
  readonly replica: string;
}

/** One attempt at one table: begun by its first range, finished by its last. */
export class TableCopier {
  readonly table: SnapshotTable;
  readonly #options: TableCopierOptions;
  #attempt: Promise<TableCopy> | null = null;
  #left: number;
  #rows = 0;
  /** One of its ranges has failed: the others need not be copied. */
  #isFailed = false;

  constructor(options: TableCopierOptions) {
    this.#options = options;
    this.table = options.table;
    this.#left = options.table.ranges.length;
  }

  /** Null: there is nothing to read, in a partitioned table without partitions. */
  async copy(range: TableRange | null, signal: AbortSignal): Promise<void> {
    if (this.#isFailed) return;
    try {
      await this.#copy(range, signal);
    } catch (error) {
      this.#isFailed = true;
      throw error;
    }
  }

  async #copy(range: TableRange | null, signal: AbortSignal): Promise<void> {
    this.#attempt ??= this.#options.target.begin(this.table, signal);
    const attempt = await this.#attempt;
    if (range !== null) await this.#copyRows(range, attempt, signal);
    if (this.#left === 0) await this.#finish(attempt, signal);
  }

  async #copyRows(range: TableRange, attempt: TableCopy, signal: AbortSignal): Promise<void> {
    const { snapshot, limit, progress } = this.#options;
    const counted = progress.range(range.bytes);
    const count = await attempt.write(() => {
      const rows = snapshot.read(range, attempt.format, signal);
      return limit.limit(rows, (bytes) => counted.read(bytes), signal);
    });
    this.#rows += count;
    counted.done(count);
    this.#left -= 1;
  }

  async #finish(attempt: TableCopy, signal: AbortSignal): Promise<void> {
    const { snapshot, mark, progress, logger, replica } = this.#options;
    await snapshot.verify(this.table, signal);
    await attempt.finish(mark, signal);
    progress.tableDone();
    logger.debug({ replica, table: tableLabel(this.table.table), rows: this.#rows }, "copied a table");
  }
}

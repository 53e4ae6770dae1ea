import { offset, type Offset, type ReplicaTable, type SinkSession } from "@lockstep/core";
import type { ApplierOptions } from "./applier-options.ts";
import { copyTables } from "./copy.ts";
import { earliestStart } from "./earliest.ts";
import { expectProgress } from "./expect-progress.ts";

/** Makes the copies of one replica: the first one, with which it begins, and those of tables that join it. */
export class ReplicaCopies {
  readonly #options: ApplierOptions;

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /** The explicit first step. Where it will begin is known once there is a view. */
  async begin(session: SinkSession, signal: AbortSignal): Promise<void> {
    const { epoch, published } = this.#options;
    const { number, id, start } = epoch;
    const progress = { epoch: { number, id }, position: start, offset: offset(0), open: offset(0), run: "" };
    await session.beginCopy(progress, published.tables, signal);
  }

  /** Copies until nothing is pending; then the replica begins at the earliest of its tables' starts. */
  async first(session: SinkSession, pending: readonly ReplicaTable[], signal: AbortSignal): Promise<void> {
    const { sink, logger, epoch } = this.#options;
    if (pending.length > 0) {
      logger.info(
        { replica: sink.replica, tables: pending.length, epoch: epoch.id },
        "the replica is copied",
      );
      await this.copy(pending, true, signal);
    }
    const start = earliestStart(await session.readTables(signal), this.#options.compare);
    await session.endCopy(start ?? expectProgress(session), signal);
  }

  async copy(
    tables: readonly ReplicaTable[],
    isFirst: boolean,
    signal: AbortSignal,
  ): Promise<readonly ReplicaTable[]> {
    const { onCopying, onKeep } = this.#options;
    const onStart = (from: Offset | null | undefined): void => onKeep("copy", from);
    try {
      const options = { ...this.#options, isFirst, onStart, onProgress: onCopying };
      const copied = await copyTables(options, tables, signal);
      const state = { kind: "copied" as const, mark: copied.mark };
      return copied.tables.map((table) => ({ ...table, state }));
    } finally {
      onCopying(null);
    }
  }
}

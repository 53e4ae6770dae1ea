import {
  changesOneByOne,
  type ApplyResult,
  type ChangeSet,
  type Logger,
  type OrderedApply,
  type Progress,
  type RecordChanges,
  type ReplicaTable,
  type TablePlans,
  type TargetTransaction,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { applyBulk } from "./bulk.ts";
import { countEvents } from "./count-events.ts";
import { explainedOrThrown } from "./refusal.ts";
import type { TablePlan } from "./table-plan.ts";

export interface TargetTransactionOptions {
  readonly connected: Connected;
  readonly plans: TablePlans<TablePlan>;
  readonly logger: Logger;
  readonly newOrderedApply: () => OrderedApply<TablePlan>;
  /** Runs work that ends with the connection when aborted, and explains its failures by what was applied. */
  readonly guarded: <T>(
    signal: AbortSignal,
    work: () => Promise<T>,
    groups: readonly RecordChanges[],
  ) => Promise<T>;
  /** Moves the progress row to `progress`. */
  readonly advance: (progress: Progress) => Promise<void>;
  readonly join: (tables: readonly ReplicaTable[]) => Promise<void>;
  readonly onCommitted: (progress: Progress) => void;
}

/** An open transaction whose progress row is locked; takes a large transaction piece by piece. */
export class MysqlTargetTransaction implements TargetTransaction {
  readonly #options: TargetTransactionOptions;
  /** The latest piece. */
  #groups: readonly RecordChanges[] = [];

  constructor(options: TargetTransactionOptions) {
    this.#options = options;
  }

  async apply(piece: ChangeSet, signal: AbortSignal): Promise<ApplyResult> {
    const { guarded, plans } = this.#options;
    this.#groups = piece.groups;
    const apply = async (): Promise<ApplyResult> => {
      await plans.prepare(piece.groups);
      return { events: countEvents(piece.groups), conflicts: await this.#apply(piece) };
    };
    return await guarded(signal, apply, piece.groups);
  }

  async commit(progress: Progress, signal: AbortSignal): Promise<void> {
    const { connected, guarded, advance, onCommitted } = this.#options;
    const store = async (): Promise<void> => {
      await advance(progress);
      await connected.session.run("commit");
      onCommitted(progress);
    };
    await guarded(signal, store, this.#groups);
  }

  async rollback(signal: AbortSignal): Promise<void> {
    await this.#run("rollback", signal);
  }

  async savepoint(signal: AbortSignal): Promise<void> {
    await this.#run("savepoint large", signal);
  }

  async rollbackTo(signal: AbortSignal): Promise<void> {
    await this.#run("rollback to savepoint large", signal);
  }

  async join(tables: readonly ReplicaTable[], signal: AbortSignal): Promise<void> {
    const { guarded, join } = this.#options;
    await guarded(signal, async () => await join(tables), []);
  }

  async #run(sql: string, signal: AbortSignal): Promise<void> {
    const { connected, guarded } = this.#options;
    await guarded(signal, async () => await connected.session.run(sql), []);
  }

  /** In bulk; where that meets another state than it names, change by change. Returns the conflicts. */
  async #apply(piece: ChangeSet): Promise<number> {
    const { folded } = piece;
    if (folded.kind === "ordered") return await this.#applyOneByOne(piece, null);
    const { connected, plans } = this.#options;
    const { session } = connected;
    await session.run("savepoint piece");
    const reason = await applyBulk(connected, folded, ({ table }) => plans.of(table)).then(
      () => null,
      explainedOrThrown,
    );
    if (reason !== null) await session.run("rollback to savepoint piece");
    const conflicts = await this.#applyOneByOne(piece, reason);
    await session.run("release savepoint piece");
    return conflicts;
  }

  async #applyOneByOne(piece: ChangeSet, failed: string | null): Promise<number> {
    const oneByOne = changesOneByOne(piece, failed);
    if (oneByOne === null) return 0;
    this.#options.logger.debug({ reason: oneByOne.reason }, "applying a piece change by change");
    const ordered = this.#options.newOrderedApply();
    await ordered.apply(oneByOne.groups);
    return ordered.conflicts;
  }
}

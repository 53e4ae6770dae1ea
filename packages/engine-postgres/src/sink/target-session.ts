import {
  abortable,
  changesOneByOne,
  NotAppended,
  OrderedApply,
  TablePlans,
  type ApplyResult,
  type ApplyWindow,
  type CatchUpSession,
  type ConflictPolicy,
  type Failpoints,
  type Logger,
  type OneByOne,
  type Progress,
  type RecordChanges,
  type ReplicaTable,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { BatchRunner, type Statement } from "./batch.ts";
import { bulkStatements } from "./bulk.ts";
import { cancelledOnceUndone } from "./cancelling.ts";
import { PostgresChangeWriter } from "./change-writer.ts";
import { explainedByOrder, explainFailure } from "./refusal.ts";
import { planTable, type TablePlan } from "./table-plan.ts";
import { countEvents, PostgresTargetTransaction } from "./target-transaction.ts";

export interface TargetSessionOptions {
  readonly connected: Connected;
  readonly replica: string;
  readonly dialect: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly progress: Progress | null;
  /** The compare-and-set that moves what is stored from one progress to the next (A4). */
  readonly advance: (stored: Progress, next: Progress) => Statement;
  readonly join?: (tables: readonly ReplicaTable[]) => Promise<void>;
  /** Cancels what the connection does now; where nothing is applied before it is appended it is not needed. */
  readonly cancel?: () => Promise<void>;
}

/** One connection that applies, with the progress in the same target transactions, wherever that is stored. */
export class TargetSession implements CatchUpSession {
  readonly #options: TargetSessionOptions;
  readonly #batches: BatchRunner;
  readonly #plans: TablePlans<TablePlan>;
  /** As stored in the replica. */
  progress: Progress | null;

  constructor(options: TargetSessionOptions) {
    this.#options = options;
    const { connected, progress } = options;
    this.#batches = new BatchRunner(connected.client);
    this.#plans = new TablePlans(async (table) => await planTable(connected.client, options, table));
    this.progress = progress;
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    const apply = async (): Promise<ApplyResult> => {
      const appended = window.appended && abortable(window.appended, signal);
      appended?.catch(() => undefined); // Nobody waits for it where a statement fails.
      const { cancel = async () => undefined } = this.#options;
      const conflicts = await cancelledOnceUndone(appended, cancel, async () => {
        return await this.#applyWindow(window, appended).catch(async (error: unknown) => {
          await appended; // What is not in the log is refused by nobody.
          throw error;
        });
      });
      this.progress = window.progress;
      return { events: countEvents(window.groups), conflicts };
    };
    return await this.closingOnAbort(signal, apply, window.groups);
  }

  async openTransaction(signal: AbortSignal): Promise<PostgresTargetTransaction> {
    return await this.closingOnAbort(signal, async () => {
      const { connected, logger, join } = this.#options;
      const { client } = connected;
      await client.query("begin");
      const claim = this.#advance(expectStored(this.progress)); // A4: first of all the row is proved to be ours, and locked.
      await client.query(claim.text, [...claim.values]);
      return new PostgresTargetTransaction({
        client,
        batches: this.#batches,
        plans: this.#plans,
        newOrderedApply: () => this.#newOrderedApply(),
        logger,
        guarded: async (abort, work, groups) => await this.closingOnAbort(abort, work, groups),
        advance: (progress) => this.#advance(progress),
        join: async (tables) => await join?.(tables),
        onCommitted: (progress) => (this.progress = progress),
      });
    });
  }

  async saveProgress(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.closingOnAbort(signal, async () => {
      await this.#batches.run([this.#advance(progress)]);
      this.progress = progress;
    });
  }

  /** Runs work on the connection, and `groups` with it; an abort closes it, so that what was under way is rolled back. */
  async closingOnAbort<T>(
    signal: AbortSignal,
    work: () => Promise<T>,
    groups: readonly RecordChanges[] = [],
  ): Promise<T> {
    signal.throwIfAborted();
    const { connected, replica } = this.#options;
    const abort = (): void => void connected.client.connection.stream.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await work();
    } catch (error) {
      if (error instanceof NotAppended) throw error;
      throw await explainFailure(error, { replica, client: connected.client, plans: this.#plans, groups });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Tables of the replica have changed. */
  forgetPlans(): void {
    this.#plans.forget();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connected[Symbol.asyncDispose]();
  }

  /** Returns how many conflicts were met. */
  async #applyWindow(window: ApplyWindow, appended: Promise<void> | undefined): Promise<number> {
    await this.#plans.prepare(window.groups);
    const { folded, groups } = window;
    try {
      const bulk = folded.kind === "bulk" ? bulkStatements(folded, ({ table }) => this.#plans.of(table)) : [];
      const oneByOne = changesOneByOne(window, null);
      if (oneByOne !== null) return await this.#applyOneByOne(window, appended, { ...oneByOne, bulk });
      const options = { beforeCommit: this.#beforeCommit(), appended };
      await this.#batches.run([this.#advance(window.progress), ...bulk], options);
      return 0;
    } catch (error) {
      const reason = explainedByOrder(error);
      if (reason === null || folded.kind === "ordered") throw error;
      return await this.#applyOneByOne(window, appended, { groups, reason, bulk: [] });
    }
  }

  /** Behind the statements of those tables that fold. */
  async #applyOneByOne(
    { progress }: ApplyWindow,
    appended: Promise<void> | undefined,
    { groups, reason, bulk }: OneByOne & { readonly bulk: readonly Statement[] },
  ): Promise<number> {
    const { connected, replica, logger, failpoints } = this.#options;
    const { client } = connected;
    await client.query("begin");
    const advance = this.#advance(progress);
    await client.query(advance.text, [...advance.values]);
    const ordered = this.#newOrderedApply();
    try {
      if (bulk.length > 0) await this.#batches.run(bulk);
      logger.debug({ replica, reason }, "applying change by change");
      await ordered.apply(groups);
      failpoints?.hit("applied");
      await appended;
    } catch (error) {
      await client.query("rollback").catch(() => undefined); // A lost connection has rolled back already.
      throw error;
    }
    await client.query("commit");
    return ordered.conflicts;
  }

  #newOrderedApply(): OrderedApply<TablePlan> {
    const { connected, replica, policy, logger } = this.#options;
    return new OrderedApply({
      writer: new PostgresChangeWriter(connected.client),
      replica,
      policy,
      logger,
      planOf: (group, id) => this.#plans.inGroup(group, id),
    });
  }

  /** A second round trip, for the sake of a place between _applied_ and _committed_: only when one is asked for. */
  #beforeCommit(): (() => void) | undefined {
    const { failpoints } = this.#options;
    return failpoints === undefined ? undefined : () => failpoints.hit("applied");
  }

  #advance(next: Progress): Statement {
    return this.#options.advance(expectStored(this.progress), next);
  }
}

function expectStored(progress: Progress | null): Progress {
  if (progress === null) throw new TypeError("a replica without progress cannot be applied to");
  return progress;
}

import {
  abortable,
  changesOneByOne,
  hasCode,
  lastOrigin,
  NotAppended,
  OrderedApply,
  ReplicationError,
  TablePlans,
  type ApplyResult,
  type ApplyWindow,
  type CatchUpSession,
  type ConflictPolicy,
  type Failpoints,
  type FoldedTable,
  type Logger,
  type Progress,
  type RecordChanges,
  type ReplicaTable,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import type { Dialect } from "../schema/type-rules.ts";
import { applyBulk } from "./bulk.ts";
import { MysqlChangeWriter } from "./change-writer.ts";
import { countEvents } from "./count-events.ts";
import type { Opening } from "./packets.ts";
import { classified, explainedOrThrown, refusedWindow } from "./refusal.ts";
import { planTable, type TablePlan } from "./table-plan.ts";
import { MysqlTargetTransaction } from "./target-transaction.ts";

export interface TargetSessionOptions {
  readonly connected: Connected;
  readonly replica: string;
  /** Whose words the primary's native types are; default: the replica's own. */
  readonly dialect?: Dialect | undefined;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly progress: Progress | null;
  /** The compare-and-set that moves what is stored from one progress to the next (A4). */
  readonly advance: (stored: Progress, next: Progress) => string;
  /** How many rows it meets; default: one. */
  readonly advancedRows?: number;
  readonly join?: (tables: readonly ReplicaTable[]) => Promise<void>;
}

/** One connection that applies, with the progress in the same target transactions, wherever that is stored. */
export class TargetSession implements CatchUpSession {
  readonly #options: TargetSessionOptions;
  readonly #plans: TablePlans<TablePlan>;
  /** As stored in the replica. */
  progress: Progress | null;

  constructor(options: TargetSessionOptions) {
    this.#options = options;
    const { connected, replica, progress, dialect } = options;
    const { session, server } = connected;
    const plan = { session, replica, isMariadb: server.flavour === "mariadb", dialect };
    this.#plans = new TablePlans(async (table) => await planTable(plan, table));
    this.progress = progress;
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    const apply = async (): Promise<ApplyResult> => {
      const appended = window.appended && abortable(window.appended, signal);
      appended?.catch(() => undefined); // Nobody waits for it where a statement fails.
      const conflicts = await this.#applyWindow(window, appended).catch(async (error: unknown) => {
        await appended; // What is not in the log is refused by nobody.
        throw error;
      });
      this.progress = window.progress;
      return { events: countEvents(window.groups), conflicts };
    };
    return await this.closingOnAbort(signal, apply, window.groups);
  }

  async openTransaction(signal: AbortSignal): Promise<MysqlTargetTransaction> {
    return await this.closingOnAbort(signal, async () => {
      const { connected, logger, join } = this.#options;
      await this.#begin(expectStored(this.progress)); // A4: first of all the row is proved to be ours, and locked.
      return new MysqlTargetTransaction({
        connected,
        plans: this.#plans,
        newOrderedApply: () => this.#newOrderedApply(),
        logger,
        guarded: async (abort, work, groups) => await this.closingOnAbort(abort, work, groups),
        advance: async (progress) => await this.#advance(progress),
        join: async (tables) => await join?.(tables),
        onCommitted: (progress) => (this.progress = progress),
      });
    });
  }

  async saveProgress(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.closingOnAbort(signal, async () => {
      if (this.#advancedRows === 1)
        await this.#advance(progress); // By itself a transaction.
      else {
        await this.#begin(progress);
        await this.#options.connected.session.run("commit");
      }
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
    const { session } = this.#options.connected;
    const abort = (): void => session.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await work();
    } catch (error) {
      if (error instanceof NotAppended) throw error;
      throw await this.#explain(error, groups);
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
    const { connected, replica, logger, failpoints } = this.#options;
    await this.#plans.prepare(window.groups);
    const { folded } = window;
    let reason: string | null = null;
    let conflicts = 0;
    if (folded.kind === "ordered") await this.#begin(window.progress);
    try {
      if (folded.kind === "bulk") {
        const planOf = ({ table }: FoldedTable): TablePlan => this.#plans.of(table);
        reason = await applyBulk(connected, folded, planOf, this.#opening(window.progress)).then(
          () => null,
          explainedOrThrown,
        );
        if (reason !== null) {
          await connected.session.run("rollback");
          await this.#begin(window.progress);
        }
      }
      const oneByOne = changesOneByOne(window, reason);
      if (oneByOne !== null) {
        logger.debug({ replica, reason: oneByOne.reason }, "applying change by change");
        const ordered = this.#newOrderedApply();
        await ordered.apply(oneByOne.groups);
        conflicts = ordered.conflicts;
      }
      failpoints?.hit("applied");
      await appended;
    } catch (error) {
      await connected.session.run("rollback").catch(() => undefined); // A lost connection has rolled back already.
      throw error;
    }
    await connected.session.run("commit");
    return conflicts;
  }

  async #begin(progress: Progress): Promise<void> {
    const { session } = this.#options.connected;
    const { sql, check } = this.#opening(progress);
    try {
      check(await session.run(sql));
    } catch (error) {
      await session.run("rollback").catch(() => undefined); // A lost connection has rolled back already.
      throw error;
    }
  }

  /** Of a transaction whose first statement is the compare-and-set. */
  #opening(progress: Progress): Opening {
    const advance = this.#advancing(progress);
    return { ...advance, sql: `start transaction;${advance.sql}` };
  }

  async #advance(progress: Progress): Promise<void> {
    const { sql, check } = this.#advancing(progress);
    check(await this.#options.connected.session.run(sql));
  }

  /** The compare-and-set (A4). */
  #advancing(next: Progress): Opening {
    const { replica, advance } = this.#options;
    return {
      sql: advance(expectStored(this.progress), next),
      check: (done) => {
        if (done.at(-1)?.rows === this.#advancedRows) return;
        const message = `replica ${replica} is not where this session left it; claiming it again`;
        throw new ReplicationError("connection-lost", message);
      },
    };
  }

  get #advancedRows(): number {
    return this.#options.advancedRows ?? 1;
  }

  #newOrderedApply(): OrderedApply<TablePlan> {
    const { connected, replica, policy, logger } = this.#options;
    return new OrderedApply({
      writer: new MysqlChangeWriter(connected.session, connected.server.maxPacketBytes),
      replica,
      policy,
      logger,
      planOf: (group, id) => this.#plans.inGroup(group, id),
    });
  }

  /** What a failure of applying means; leaves no transaction open. */
  async #explain(error: unknown, groups: readonly RecordChanges[]): Promise<unknown> {
    const { connected, replica } = this.#options;
    const refused = refusedWindow(error, replica, lastOrigin(groups));
    if (!hasCode(refused, "apply-refused")) return refused;
    try {
      await connected.session.run("rollback");
      if (!(await this.#plans.haveChanged())) return refused;
    } catch (failure) {
      return classified(failure, replica);
    }
    const message = `a table of replica ${replica} changed; looking at it again`;
    return new ReplicationError("connection-lost", message, { cause: refused });
  }
}

function expectStored(progress: Progress | null): Progress {
  if (progress === null) throw new TypeError("a replica without progress cannot be applied to");
  return progress;
}

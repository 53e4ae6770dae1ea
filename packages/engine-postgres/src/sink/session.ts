import {
  ReplicationError,
  tableLabel,
  type ApplyResult,
  type ApplyWindow,
  type ConflictPolicy,
  type Failpoints,
  type Logger,
  type Progress,
  type SinkSession,
  type TableName,
  type TargetTransaction,
} from "@lockstep/core";
import { quoteTable, type Connected } from "../connection.ts";
import { firstNonEmpty } from "../schema/tables.ts";
import { BatchRunner, type Statement } from "./batch.ts";
import { bulkStatements } from "./bulk.ts";
import { OrderedApply } from "./ordered.ts";
import { TablePlans } from "./plans.ts";
import { advanceStatement, claimedByAnother, insertProgressRow, readProgressRow } from "./progress.ts";
import { explainedByOrder, explainRefusal } from "./refusal.ts";
import { countEvents, PostgresTargetTransaction } from "./target-transaction.ts";

export interface PostgresSinkSessionOptions {
  readonly connected: Connected;
  readonly replica: string;
  readonly pipeline: string;
  readonly owner: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly progress: Progress | null;
}

/** One connection that owns the replica's progress row. */
export class PostgresSinkSession implements SinkSession {
  readonly #options: PostgresSinkSessionOptions;
  readonly #batches: BatchRunner;
  readonly #plans: TablePlans;
  #stored: Progress | null;

  constructor(options: PostgresSinkSessionOptions) {
    this.#options = options;
    const { connected, replica } = options;
    this.#batches = new BatchRunner(connected.client);
    this.#plans = new TablePlans(connected.client, replica);
    this.#stored = options.progress;
  }

  get progress(): Progress | null {
    return this.#stored;
  }

  async createProgress(progress: Progress, tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    const { replica, pipeline, owner, connected, failpoints } = this.#options;
    const { client } = connected;
    await this.#closingOnAbort(signal, async () => {
      await client.query("begin isolation level repeatable read");
      for (const table of tables) await this.#expectExists(table);
      const nonEmpty = await firstNonEmpty(client, tables);
      if (nonEmpty !== null) throw notEmpty(replica, nonEmpty);
      const isInserted = await insertProgressRow(client, pipeline, owner, progress);
      if (!isInserted && (await readProgressRow(client, pipeline))?.owner !== owner)
        throw claimedByAnother(replica);
      await client.query("commit");
    });
    failpoints?.hit("progress-created");
    this.#stored = progress;
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    return await this.#closingOnAbort(signal, async () => {
      const conflicts = await this.#applyWindow(window);
      this.#stored = window.progress;
      return { events: countEvents(window.groups), conflicts };
    });
  }

  async openTransaction(signal: AbortSignal): Promise<TargetTransaction> {
    return await this.#closingOnAbort(signal, async () => {
      const stored = this.#stored;
      if (stored === null) throw new TypeError("a replica without progress cannot be applied to");
      const { client } = this.#options.connected;
      await client.query("begin");
      const claim = this.#advance(stored); // A4: first of all the row is proved to be ours, and locked.
      await client.query(claim.text, [...claim.values]);
      return new PostgresTargetTransaction({
        client,
        batches: this.#batches,
        plans: this.#plans,
        newOrderedApply: () => this.#newOrderedApply(),
        logger: this.#options.logger,
        guarded: async (abort, work) => await this.#closingOnAbort(abort, work),
        advance: (progress) => this.#advance(progress),
        onCommitted: (progress) => (this.#stored = progress),
      });
    });
  }

  async saveProgress(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.#closingOnAbort(signal, async () => {
      await this.#batches.run([this.#advance(progress)]);
      this.#stored = progress;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connected[Symbol.asyncDispose]();
  }

  /** Returns how many conflicts were met. */
  async #applyWindow(window: ApplyWindow): Promise<number> {
    await this.#plans.prepare(window.groups);
    const { folded } = window;
    if (folded.kind === "ordered") return await this.#applyOrdered(window, folded.reason);
    const statements = bulkStatements(folded, ({ table }) => this.#plans.of(table));
    try {
      await this.#batches.run([this.#advance(window.progress), ...statements], this.#beforeCommit());
      return 0;
    } catch (error) {
      const state = explainedByOrder(error);
      if (state === null) throw error;
      return await this.#applyOrdered(window, `SQLSTATE ${state}`);
    }
  }

  async #applyOrdered(window: ApplyWindow, reason: string): Promise<number> {
    const { connected, replica, logger, failpoints } = this.#options;
    const { client } = connected;
    logger.debug({ replica, reason }, "applying change by change");
    await client.query("begin");
    const advance = this.#advance(window.progress);
    await client.query(advance.text, [...advance.values]);
    const ordered = this.#newOrderedApply();
    try {
      await ordered.apply(window.groups);
    } catch (error) {
      await client.query("rollback").catch(() => undefined); // A lost connection has rolled back already.
      throw error;
    }
    failpoints?.hit("applied");
    await client.query("commit");
    return ordered.conflicts;
  }

  #newOrderedApply(): OrderedApply {
    const { connected, replica, policy, logger } = this.#options;
    const { client } = connected;
    return new OrderedApply({
      client,
      replica,
      policy,
      logger,
      planOf: (group, id) => this.#plans.inGroup(group, id),
    });
  }

  /** Runs work on the connection; an abort closes it, so that what was under way is rolled back. */
  async #closingOnAbort<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const abort = (): void => void this.#options.connected.client.connection.stream.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await work();
    } catch (error) {
      throw this.#explain(error);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** A second round trip, for the sake of a place between _applied_ and _committed_: only when one is asked for. */
  #beforeCommit(): (() => void) | undefined {
    const { failpoints } = this.#options;
    return failpoints === undefined ? undefined : () => failpoints.hit("applied");
  }

  #advance(next: Progress): Statement {
    if (this.#stored === null) throw new TypeError("a replica without progress cannot advance");
    return advanceStatement(this.#options.pipeline, this.#options.owner, this.#stored, next); // A4
  }

  async #expectExists(table: TableName): Promise<void> {
    const { replica, connected } = this.#options;
    const { rows } = await connected.client.query<{ exists: boolean }>(
      "select pg_catalog.to_regclass($1) is not null as exists",
      [quoteTable(table)],
    );
    if (rows[0]?.exists === true) return;
    throw new ReplicationError(
      "schema-mismatch",
      `table ${tableLabel(table)} does not exist on replica ${replica}`,
      {
        fix: "create it there as it is on the primary",
        fields: { replica, table: tableLabel(table) },
      },
    );
  }

  #explain(error: unknown): unknown {
    return explainRefusal(error, this.#options.replica, () => this.#plans.forget());
  }
}

function notEmpty(replica: string, table: TableName): ReplicationError {
  return new ReplicationError(
    "table-not-empty",
    `table ${tableLabel(table)} on replica ${replica} has rows already`,
    {
      fix: "empty it, or leave the replica out; copying and comparing existing rows is not supported yet",
      fields: { replica, table: tableLabel(table) },
    },
  );
}

import type {
  ApplyResult,
  ApplyWindow,
  ConflictPolicy,
  Failpoints,
  Logger,
  Progress,
  RecordChanges,
  ReplicaTable,
  SchemaDefinition,
  SinkSession,
  SourceTable,
  TableName,
  TargetTransaction,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { BatchRunner, type Statement } from "./batch.ts";
import { bulkStatements } from "./bulk.ts";
import { OrderedApply } from "./ordered.ts";
import { TablePlans } from "./plans.ts";
import { advanceStatement } from "./progress.ts";
import { explainedByOrder, explainFailure } from "./refusal.ts";
import { ReplicaTables } from "./replica-tables.ts";
import { forgetTableRows } from "./table-rows.ts";
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
  readonly isCopying: boolean;
  readonly tables: readonly ReplicaTable[];
  readonly lost: AbortSignal;
}

/** One connection that owns the replica's progress row. */
export class PostgresSinkSession implements SinkSession {
  readonly #options: PostgresSinkSessionOptions;
  readonly #batches: BatchRunner;
  readonly #plans: TablePlans;
  readonly #tables: ReplicaTables;
  #stored: Progress | null;
  #isCopying: boolean;
  #known: readonly ReplicaTable[];

  constructor(options: PostgresSinkSessionOptions) {
    this.#options = options;
    const { connected, replica } = options;
    this.#batches = new BatchRunner(connected.client);
    this.#plans = new TablePlans(connected.client, replica);
    this.#tables = new ReplicaTables({ ...options, client: connected.client });
    this.#stored = options.progress;
    this.#isCopying = options.isCopying;
    this.#known = options.tables;
  }

  get lost(): AbortSignal {
    return this.#options.lost;
  }

  get progress(): Progress | null {
    return this.#stored;
  }

  get isCopying(): boolean {
    return this.#isCopying;
  }

  get tables(): readonly ReplicaTable[] {
    return this.#known;
  }

  async beginCopy(progress: Progress, tables: readonly SourceTable[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.beginCopy(progress, tables));
    this.#stored = progress;
    this.#isCopying = true;
  }

  async endCopy(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.endCopy(progress));
    this.#stored = progress;
    this.#isCopying = false;
  }

  async addTables(tables: readonly SourceTable[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.add(tables));
  }

  async forgetTables(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    const { client } = this.#options.connected;
    await this.#onTables(signal, async () => await forgetTableRows(client, this.#options, tables));
  }

  async copyAgain(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.copyAgain(tables));
  }

  async readTables(signal: AbortSignal): Promise<readonly ReplicaTable[]> {
    await this.#onTables(signal, async () => await Promise.resolve());
    return this.#known;
  }

  async completeTables(
    schema: SchemaDefinition,
    tables: readonly TableName[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.complete(schema, tables));
    this.#plans.forget();
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    const apply = async (): Promise<ApplyResult> => {
      const conflicts = await this.#applyWindow(window);
      this.#stored = window.progress;
      return { events: countEvents(window.groups), conflicts };
    };
    return await this.#closingOnAbort(signal, apply, window.groups);
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
        guarded: async (abort, work, groups) => await this.#closingOnAbort(abort, work, groups),
        advance: (progress) => this.#advance(progress),
        join: async (tables) => await this.#tables.join(tables),
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

  /** Runs work on the connection, and `groups` with it; an abort closes it, so that what was under way is rolled back. */
  async #closingOnAbort<T>(
    signal: AbortSignal,
    work: () => Promise<T>,
    groups: readonly RecordChanges[] = [],
  ): Promise<T> {
    signal.throwIfAborted();
    const abort = (): void => void this.#options.connected.client.connection.stream.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await work();
    } catch (error) {
      throw await this.#explain(error, groups);
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

  /** Work on what is stored of the tables, which is then read anew. */
  async #onTables(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    await this.#closingOnAbort(signal, async () => {
      await work();
      this.#known = await this.#tables.read();
    });
  }

  async #explain(error: unknown, groups: readonly RecordChanges[]): Promise<unknown> {
    const { replica, connected } = this.#options;
    return await explainFailure(error, { replica, client: connected.client, plans: this.#plans, groups });
  }
}

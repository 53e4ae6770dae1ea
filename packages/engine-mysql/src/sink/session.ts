import type {
  ApplyResult,
  ApplyWindow,
  ConflictPolicy,
  Failpoints,
  Logger,
  Progress,
  ReplicaTable,
  SchemaDefinition,
  SinkSession,
  SourceTable,
  TableName,
  TargetTransaction,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import type { Dialect } from "../schema/type-rules.ts";
import { advanceStatement } from "./progress.ts";
import { ReplicaTables } from "./replica-tables.ts";
import { TargetSession } from "./target-session.ts";

export interface MysqlSinkSessionOptions {
  readonly connected: Connected;
  readonly replica: string;
  readonly pipeline: string;
  readonly dialect: Dialect | undefined;
  readonly owner: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly progress: Progress | null;
  readonly isCopying: boolean;
  readonly tables: readonly ReplicaTable[];
}

/** One connection that owns the replica's progress row. */
export class MysqlSinkSession implements SinkSession {
  readonly #options: MysqlSinkSessionOptions;
  readonly #target: TargetSession;
  readonly #tables: ReplicaTables;
  #isCopying: boolean;
  #known: readonly ReplicaTable[];

  constructor(options: MysqlSinkSessionOptions) {
    this.#options = options;
    this.#tables = new ReplicaTables({ ...options, session: options.connected.session });
    this.#target = new TargetSession({
      ...options,
      advance: (stored, next) => advanceStatement(options, stored, next),
      join: async (tables) => await this.#tables.join(tables),
    });
    this.#isCopying = options.isCopying;
    this.#known = options.tables;
  }

  get lost(): AbortSignal {
    return this.#options.connected.lost;
  }

  get progress(): Progress | null {
    return this.#target.progress;
  }

  get isCopying(): boolean {
    return this.#isCopying;
  }

  get tables(): readonly ReplicaTable[] {
    return this.#known;
  }

  async beginCopy(progress: Progress, tables: readonly SourceTable[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.beginCopy(progress, tables));
    this.#target.progress = progress;
    this.#isCopying = true;
  }

  async endCopy(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.endCopy(progress));
    this.#target.progress = progress;
    this.#isCopying = false;
  }

  async addTables(tables: readonly SourceTable[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.add(tables));
  }

  async forgetTables(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.forget(tables));
  }

  async copyAgain(tables: readonly TableName[], signal: AbortSignal): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.copyAgain(tables));
  }

  async readTables(signal: AbortSignal): Promise<readonly ReplicaTable[]> {
    await this.#onTables(signal, async () => await Promise.resolve());
    return this.#known;
  }

  async completeTables(
    _schema: SchemaDefinition,
    tables: readonly TableName[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#onTables(signal, async () => await this.#tables.complete(tables));
    this.#target.forgetPlans();
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    return await this.#target.apply(window, signal);
  }

  async openTransaction(signal: AbortSignal): Promise<TargetTransaction> {
    return await this.#target.openTransaction(signal);
  }

  async saveProgress(progress: Progress, signal: AbortSignal): Promise<void> {
    await this.#target.saveProgress(progress, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#target[Symbol.asyncDispose]();
  }

  /** Work on what is stored of the tables, which is then read anew. */
  async #onTables(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    await this.#target.closingOnAbort(signal, async () => {
      await work();
      this.#known = await this.#tables.read();
    });
  }
}

import {
  hasCode,
  ReplicationError,
  tableLabel,
  type ApplyResult,
  type ApplyWindow,
  type ConflictPolicy,
  type Failpoints,
  type Logger,
  type Progress,
  type SinkSession,
  type Table,
  type TableName,
  type TransactionGroup,
} from "@lockstep/core";
import { quoteTable, sqlStateOf, toReplicationError, type Connected } from "../connection.ts";
import { firstNonEmpty } from "../schema.ts";
import { BatchRunner, type Statement } from "./batch.ts";
import { bulkStatements } from "./bulk.ts";
import { OrderedApply } from "./ordered.ts";
import {
  advanceStatement,
  claimedByAnother,
  COUNT_MISMATCH,
  insertProgressRow,
  PROGRESS_MISMATCH,
  readProgressRow,
} from "./progress.ts";
import { definitionKey, planTable, type TablePlan } from "./table-plan.ts";

/** Order or drift can explain these; in order, each change names itself: row counts, integrity, data, TRUNCATE. */
const EXPLAINED_BY_ORDER = /^(?:22...|23...|0A000)$/;
/** The replica's table is not what its plan says any more. */
const TABLE_CHANGED = /^(?:42P01|42703|42704|42804|42P10|0A000)$/;

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
  readonly #plans = new Map<string, TablePlan>();
  #stored: Progress | null;

  constructor(options: PostgresSinkSessionOptions) {
    this.#options = options;
    this.#batches = new BatchRunner(options.connected.client);
    this.#stored = options.progress;
  }

  get progress(): Progress | null {
    return this.#stored;
  }

  async createProgress(progress: Progress, tables: readonly TableName[]): Promise<void> {
    const { replica, pipeline, owner, connected, failpoints } = this.#options;
    const { client } = connected;
    try {
      await client.query("begin isolation level repeatable read");
      for (const table of tables) await this.#expectExists(table);
      const nonEmpty = await firstNonEmpty(client, tables);
      if (nonEmpty !== null) throw notEmpty(replica, nonEmpty);
      const isInserted = await insertProgressRow(client, pipeline, owner, progress);
      if (!isInserted && (await readProgressRow(client, pipeline))?.owner !== owner)
        throw claimedByAnother(replica);
      await client.query("commit");
    } catch (error) {
      throw toReplicationError(error, `replica ${replica}`);
    }
    failpoints?.hit("progress-created");
    this.#stored = progress;
  }

  async apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult> {
    signal.throwIfAborted();
    const abort = (): void => void this.#options.connected.client.connection.stream.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      const conflicts = await this.#applyWindow(window);
      this.#stored = window.progress;
      return { events: countEvents(window.groups), conflicts };
    } catch (error) {
      throw this.#explain(error);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async saveProgress(progress: Progress): Promise<void> {
    try {
      await this.#batches.run([this.#advance(progress)]);
      this.#stored = progress;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connected[Symbol.asyncDispose]();
  }

  /** Returns how many conflicts were met. */
  async #applyWindow(window: ApplyWindow): Promise<number> {
    await this.#preparePlans(window.groups);
    const { folded } = window;
    if (folded.kind === "ordered") return await this.#applyOrdered(window, folded.reason);
    const statements = bulkStatements(folded, ({ table }) => this.#planOf(table));
    try {
      await this.#batches.run([this.#advance(window.progress), ...statements], this.#beforeCommit());
      return 0;
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === null || !(state === COUNT_MISMATCH || EXPLAINED_BY_ORDER.test(state))) throw error;
      return await this.#applyOrdered(window, `SQLSTATE ${state}`);
    }
  }

  async #applyOrdered(window: ApplyWindow, reason: string): Promise<number> {
    const { connected, replica, policy, logger, failpoints } = this.#options;
    const { client } = connected;
    logger.debug({ replica, reason }, "applying change by change");
    await client.query("begin");
    const advance = this.#advance(window.progress);
    await client.query(advance.text, [...advance.values]);
    const ordered = new OrderedApply({
      client,
      replica,
      policy,
      logger,
      planOf: (group, id) => this.#planOf(tableOf(group, id)),
    });
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

  /** A second round trip, for the sake of a place between _applied_ and _committed_: only when one is asked for. */
  #beforeCommit(): (() => void) | undefined {
    const { failpoints } = this.#options;
    return failpoints === undefined ? undefined : () => failpoints.hit("applied");
  }

  #advance(next: Progress): Statement {
    if (this.#stored === null) throw new TypeError("a replica without progress cannot advance");
    return advanceStatement(this.#options.pipeline, this.#options.owner, this.#stored, next); // A4
  }

  async #preparePlans(groups: readonly TransactionGroup[]): Promise<void> {
    const { connected, replica } = this.#options;
    for (const { tables, transactions } of groups) {
      for (const table of usedTables(tables, transactions)) {
        if (this.#known.has(table)) continue;
        const key = definitionKey(table);
        const plan = this.#plans.get(key) ?? (await planTable(connected.client, replica, table));
        this.#plans.set(key, plan);
        this.#known.set(table, plan);
      }
    }
  }

  #known = new WeakMap<Table, TablePlan>();

  #planOf(table: Table): TablePlan {
    const plan = this.#known.get(table);
    if (plan === undefined) throw new TypeError(`table ${tableLabel(table)} has no plan`);
    return plan;
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
    const { replica } = this.#options;
    const known = toReplicationError(error, `replica ${replica}`);
    const state = sqlStateOf(known);
    if (state === PROGRESS_MISMATCH) {
      return new ReplicationError(
        "connection-lost",
        `replica ${replica} is not where this session left it; claiming it again`,
        {
          cause: known,
        },
      );
    }
    if (state !== null && TABLE_CHANGED.test(state)) {
      this.#plans.clear();
      this.#known = new WeakMap();
      return new ReplicationError(
        "connection-lost",
        `a table of replica ${replica} changed; looking at it again`,
        { cause: known },
      );
    }
    if (state === null || hasCode(known, "apply-refused")) return known;
    return new ReplicationError(
      "apply-refused",
      `replica ${replica} refuses a transaction: SQLSTATE ${state}`,
      {
        cause: known,
        fix: "see the cause; then start again",
        fields: { replica, sqlState: state },
      },
    );
  }
}

function countEvents(groups: readonly TransactionGroup[]): number {
  let events = 0;
  for (const { transactions } of groups)
    for (const transaction of transactions) events += transaction.events.length;
  return events;
}

/** A record names just the tables it uses, so all of them need a plan. */
function usedTables(
  tables: ReadonlyMap<number, Table>,
  transactions: TransactionGroup["transactions"],
): Iterable<Table> {
  return transactions.length === 0 ? [] : tables.values();
}

function tableOf(group: TransactionGroup, id: number): Table {
  const table = group.tables.get(id);
  if (table === undefined) throw new TypeError(`an event names table ${id}, which its batch does not have`);
  return table;
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

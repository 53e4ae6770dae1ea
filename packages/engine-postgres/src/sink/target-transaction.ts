import {
  changesOneByOne,
  type ApplyResult,
  type ChangeSet,
  type EventGroup,
  type FoldedTable,
  type Logger,
  type OrderedApply,
  type Progress,
  type RecordChanges,
  type ReplicaTable,
  type TablePlans,
  type TargetTransaction,
} from "@lockstep/core";
import type { Client } from "pg";
import type { BatchRunner, Statement } from "./batch.ts";
import { bulkStatements } from "./bulk.ts";
import { explainedByOrder } from "./refusal.ts";
import type { TablePlan } from "./table-plan.ts";

export interface TargetTransactionOptions {
  readonly client: Client;
  readonly batches: BatchRunner;
  readonly plans: TablePlans<TablePlan>;
  readonly logger: Logger;
  readonly newOrderedApply: () => OrderedApply<TablePlan>;
  /** Runs work that ends with the connection when aborted, and explains its failures by what was applied. */
  readonly guarded: <T>(
    signal: AbortSignal,
    work: () => Promise<T>,
    groups: readonly RecordChanges[],
  ) => Promise<T>;
  /** The statement that moves the progress row to `progress`. */
  readonly advance: (progress: Progress) => Statement;
  readonly join: (tables: readonly ReplicaTable[]) => Promise<void>;
  readonly onCommitted: (progress: Progress) => void;
}

const SAVEPOINT: Statement = { text: "savepoint piece", values: [] };
const RELEASE: Statement = { text: "release savepoint piece", values: [] };

/** An open transaction whose progress row is locked; takes a large transaction piece by piece. */
export class PostgresTargetTransaction implements TargetTransaction {
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
    const { client, guarded, advance, onCommitted } = this.#options;
    const store = async (): Promise<void> => {
      const { text, values } = advance(progress);
      await client.query(text, [...values]);
      await client.query("commit");
      onCommitted(progress);
    };
    await guarded(signal, store, this.#groups);
  }

  async rollback(signal: AbortSignal): Promise<void> {
    await this.#query("rollback", signal);
  }

  async savepoint(signal: AbortSignal): Promise<void> {
    await this.#query("savepoint large", signal);
  }

  async rollbackTo(signal: AbortSignal): Promise<void> {
    await this.#query("rollback to savepoint large", signal);
  }

  async join(tables: readonly ReplicaTable[], signal: AbortSignal): Promise<void> {
    const { guarded, join } = this.#options;
    await guarded(signal, async () => await join(tables), []);
  }

  async #query(text: string, signal: AbortSignal): Promise<void> {
    const { client, guarded } = this.#options;
    await guarded(signal, async () => await client.query(text), []);
  }

  /** In bulk; where that meets another state than it names, change by change. Returns the conflicts. */
  async #apply(piece: ChangeSet): Promise<number> {
    const { folded } = piece;
    if (folded.kind === "ordered") return await this.#applyOneByOne(piece, null);
    const { batches, plans, client } = this.#options;
    const planOf = ({ table }: FoldedTable): TablePlan => plans.of(table);
    let isOpen = false;
    try {
      const statements = bulkStatements(folded, planOf);
      isOpen = true;
      await batches.run([SAVEPOINT, ...statements, RELEASE]);
    } catch (error) {
      const reason = explainedByOrder(error);
      if (reason === null) throw error;
      await client.query(isOpen ? "rollback to savepoint piece" : "savepoint piece");
      const conflicts = await this.#applyOneByOne(piece, reason);
      await client.query("release savepoint piece");
      return conflicts;
    }
    return await this.#applyOneByOne(piece, null);
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

export function countEvents(groups: readonly EventGroup[]): number {
  let events = 0;
  for (const { transactions } of groups)
    for (const transaction of transactions) events += transaction.events.length;
  return events;
}

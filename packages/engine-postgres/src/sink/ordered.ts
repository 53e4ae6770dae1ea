import {
  isWhole,
  unreachable,
  type ConflictPolicy,
  type Logger,
  type RecordChanges,
  type ReplicationEvent,
  type Row,
  originOf,
  type Origin,
} from "@lockstep/core";
import type { Client } from "pg";
import { sqlStateOf } from "../connection.ts";
import type { Statement } from "./batch.ts";
import { UnfitValue } from "../schema/exact-values.ts";
import { haltedChange, refusedChange, unfitChange, type RefusedChange } from "./refusal.ts";
import {
  deleteStatement,
  insertStatement,
  keyText,
  overwriteStatement,
  replaceStatement,
  updateOf,
} from "./row-statements.ts";
import type { TablePlan } from "./table-plan.ts";

const FEATURE_NOT_SUPPORTED = "0A000";

export interface OrderedOptions {
  readonly client: Client;
  readonly replica: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  planOf(group: RecordChanges, table: number): TablePlan;
}

/** Applies changes one by one, in source order, inside the caller's transaction; meets drift by policy. */
export class OrderedApply {
  readonly #options: OrderedOptions;
  /** Changes that met another state than the primary's. */
  conflicts = 0;
  /** The transaction whose changes are being applied. */
  #origin: Origin | null = null;

  constructor(options: OrderedOptions) {
    this.#options = options;
  }

  async apply(groups: readonly RecordChanges[]): Promise<void> {
    for (const group of groups) {
      for (const transaction of group.transactions) {
        this.#origin = originOf(group, transaction);
        for (const event of transaction.events) await this.#event(event, group);
      }
    }
  }

  async #event(event: ReplicationEvent, group: RecordChanges): Promise<void> {
    try {
      await this.#change(event, group);
    } catch (error) {
      if (!(error instanceof UnfitValue) || event.kind === "truncate" || event.kind === "schema") throw error;
      const plan = this.#options.planOf(group, event.table);
      throw unfitChange(error, this.#placeOf(plan, event.kind === "delete" ? event.before : event.after));
    }
  }

  async #change(event: ReplicationEvent, group: RecordChanges): Promise<void> {
    switch (event.kind) {
      case "insert":
        return await this.#insert(this.#options.planOf(group, event.table), event.after);
      case "update":
        return await this.#update(this.#options.planOf(group, event.table), event.before, event.after);
      case "delete":
        return await this.#delete(this.#options.planOf(group, event.table), event.before);
      case "truncate":
        return await this.#truncate(
          event.tables.map((id) => this.#options.planOf(group, id)),
          event.restartIdentity,
        );
      case "schema":
        return;
      default:
        return unreachable(event);
    }
  }

  async #insert(plan: TablePlan, after: Row): Promise<void> {
    const isNew = await this.#put(plan, after, this.#options.policy);
    if (!isNew) this.#conflict(plan, after, "an insert found the row there");
  }

  /** Inserts the row; false when one with its key was there, which the policy may overwrite. */
  async #put(plan: TablePlan, row: Row, policy: ConflictPolicy): Promise<boolean> {
    if ((await this.#query(plan, row, insertStatement(plan, row))) === 1) return true;
    const overwrite = overwriteStatement(plan, row, policy);
    if (overwrite !== null) await this.#query(plan, row, overwrite);
    return false;
  }

  async #update(plan: TablePlan, before: Row | undefined, after: Row): Promise<void> {
    if (await this.#makeIt(plan, before, after)) return;
    this.#conflict(plan, after, "an update found no row");
    if (this.#options.policy.kind === "replica_wins") return;
    if (!isWhole(after))
      throw haltedChange(
        "row-incomplete",
        this.#placeOf(plan, after),
        "an update found no row and does not carry every column",
      );
    await this.#put(plan, after, { kind: "primary_wins" });
  }

  /** Makes the row what the update says; false when it is not there. */
  async #makeIt(plan: TablePlan, before: Row | undefined, after: Row): Promise<boolean> {
    const former = before ?? after;
    const update = updateOf(plan, before, after);
    if (update.kind === "nothing") return true;
    if (update.kind === "update" && (await this.#query(plan, former, update.statement)) === 1) return true;
    if (!plan.columns.some(({ isAlwaysIdentity }) => isAlwaysIdentity)) return false;
    return (await this.#query(plan, former, replaceStatement(plan, former, after))) === 1;
  }

  async #delete(plan: TablePlan, before: Row): Promise<void> {
    if ((await this.#query(plan, before, deleteStatement(plan, before))) !== 1)
      this.#conflict(plan, before, "a delete found no row");
  }

  /** Exactly the listed tables; a server that refuses because of foreign keys gets deletes instead. */
  async #truncate(plans: readonly TablePlan[], restartIdentity: boolean): Promise<void> {
    const { client } = this.#options;
    const [first] = plans;
    if (first === undefined) return;
    await client.query("savepoint truncating");
    try {
      const restart = restartIdentity ? " restart identity" : "";
      await client.query(`truncate ${plans.map((plan) => plan.target).join(", ")}${restart}`);
    } catch (error) {
      if (sqlStateOf(error) !== FEATURE_NOT_SUPPORTED) throw this.#refused(error, first, null);
      await client.query("rollback to savepoint truncating");
      for (const plan of plans)
        await this.#query(plan, null, { text: `delete from ${plan.target}`, values: [] });
    }
    await client.query("release savepoint truncating");
  }

  /** Returns how many rows it changed. */
  async #query(plan: TablePlan, row: Row | null, { text, values }: Statement): Promise<number> {
    try {
      return (await this.#options.client.query(text, [...values])).rowCount ?? 0;
    } catch (error) {
      throw this.#refused(error, plan, row);
    }
  }

  #conflict(plan: TablePlan, row: Row, what: string): void {
    const { policy, logger, replica } = this.#options;
    if (policy.kind === "halt") throw haltedChange("conflict-halted", this.#placeOf(plan, row), what);
    this.conflicts += 1;
    logger.warn(
      { replica, table: plan.quoted, key: keyText(plan, row), policy: policy.kind },
      `conflict: ${what}`,
    );
  }

  #refused(error: unknown, plan: TablePlan, row: Row | null): unknown {
    return refusedChange(error, this.#placeOf(plan, row), this.#options.client.user);
  }

  #placeOf(plan: TablePlan, row: Row | null): RefusedChange {
    if (this.#origin === null) throw new TypeError("a change belongs to a transaction");
    const key = row === null ? "(all)" : keyText(plan, row);
    return { replica: this.#options.replica, ...this.#origin, table: plan.quoted, key };
  }
}

import type { ChangeWriter, ConflictPolicy, RefusedChange, Row } from "@lockstep/core";
import type { Client } from "pg";
import { sqlStateOf } from "../connection.ts";
import { UnfitValue } from "../schema/exact-values.ts";
import type { Statement } from "./batch.ts";
import { refusedChange, unfitChange } from "./refusal.ts";
import {
  deleteStatement,
  insertStatement,
  overwriteStatement,
  replaceStatement,
  updateOf,
} from "./row-statements.ts";
import type { TablePlan } from "./table-plan.ts";

const FEATURE_NOT_SUPPORTED = "0A000";

/** A statement for each change. */
export class PostgresChangeWriter implements ChangeWriter<TablePlan> {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async insert(plan: TablePlan, row: Row): Promise<boolean> {
    return (await this.#query(insertStatement(plan, row))) === 1;
  }

  async overwrite(plan: TablePlan, row: Row, policy: ConflictPolicy): Promise<void> {
    const overwrite = overwriteStatement(plan, row, policy);
    if (overwrite !== null) await this.#query(overwrite);
  }

  async update(plan: TablePlan, before: Row | undefined, after: Row): Promise<boolean> {
    const update = updateOf(plan, before, after);
    if (update.kind === "nothing") return true;
    if (update.kind === "update" && (await this.#query(update.statement)) === 1) return true;
    if (!plan.columns.some(({ isAlwaysIdentity }) => isAlwaysIdentity)) return false;
    return (await this.#query(replaceStatement(plan, before ?? after, after))) === 1;
  }

  async delete(plan: TablePlan, before: Row): Promise<boolean> {
    return (await this.#query(deleteStatement(plan, before))) === 1;
  }

  /** A server that refuses because of foreign keys gets deletes instead. */
  async truncate(
    plans: readonly TablePlan[],
    restartIdentity: boolean,
    at: (plan: TablePlan) => void,
  ): Promise<void> {
    const client = this.#client;
    await client.query("savepoint truncating");
    try {
      const restart = restartIdentity ? " restart identity" : "";
      await client.query(`truncate ${plans.map((plan) => plan.target).join(", ")}${restart}`);
    } catch (error) {
      if (sqlStateOf(error) !== FEATURE_NOT_SUPPORTED) throw error;
      await client.query("rollback to savepoint truncating");
      for (const plan of plans) {
        at(plan);
        await this.#query({ text: `delete from ${plan.target}`, values: [] });
      }
    }
    await client.query("release savepoint truncating");
  }

  refused(error: unknown, change: RefusedChange): unknown {
    if (error instanceof UnfitValue) return unfitChange(error, change);
    return refusedChange(error, change, this.#client.user);
  }

  /** Returns how many rows it changed. */
  async #query({ text, values }: Statement): Promise<number> {
    return (await this.#client.query(text, [...values])).rowCount ?? 0;
  }
}

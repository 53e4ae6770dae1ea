import {
  isWhole,
  NOT_CARRIED,
  ReplicationError,
  unreachable,
  type ConflictPolicy,
  type Logger,
  type EventGroup,
  type ReplicationEvent,
  type Row,
} from "@lockstep/core";
import type { Client, QueryResult } from "pg";
import { sqlStateOf, toReplicationError } from "../connection.ts";
import type { TablePlan } from "./table-plan.ts";

const FEATURE_NOT_SUPPORTED = "0A000";

export interface OrderedOptions {
  readonly client: Client;
  readonly replica: string;
  readonly policy: ConflictPolicy;
  readonly logger: Logger;
  planOf(group: EventGroup, table: number): TablePlan;
}

/** Applies changes one by one, in source order, inside the caller's transaction; meets drift by policy. */
export class OrderedApply {
  readonly #options: OrderedOptions;
  /** Changes that met another state than the primary's. */
  conflicts = 0;

  constructor(options: OrderedOptions) {
    this.#options = options;
  }

  async apply(groups: readonly EventGroup[]): Promise<void> {
    for (const group of groups) {
      for (const { events } of group.transactions) {
        for (const event of events) await this.#event(event, group);
      }
    }
  }

  async #event(event: ReplicationEvent, group: EventGroup): Promise<void> {
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
    const { rowCount } = await this.#query(plan, row, insertText(plan), cellsOf(row));
    if (rowCount === 1) return true;
    const values = new Values();
    const text = overwriteText(plan, row, policy, values);
    if (text !== null) await this.#query(plan, row, text, values.list);
    return false;
  }

  async #update(plan: TablePlan, before: Row | undefined, after: Row): Promise<void> {
    const values = new Values();
    const isMoved =
      before !== undefined &&
      plan.columns.some(({ isKey }, index) => isKey && before[index] !== after[index]);
    const assignments = plan.columns.flatMap((column, index) => {
      const cell = after[index];
      if (cell === undefined || cell === NOT_CARRIED || (column.isKey && !isMoved)) return [];
      return [`${column.quoted} = ${values.add(plan, index, cell)}`];
    });
    if (assignments.length === 0) return;
    const key = keyCondition(plan, before ?? after, values);
    const text = `update ${plan.target} as t set ${assignments.join(", ")} where ${key}`;
    const { rowCount } = await this.#query(plan, before ?? after, text, values.list);
    if (rowCount === 1) return;
    this.#conflict(plan, after, "an update found no row");
    if (this.#options.policy.kind === "replica_wins") return;
    if (!isWhole(after))
      throw this.#refusal(
        "row-incomplete",
        plan,
        after,
        "an update found no row and does not carry every column",
      );
    await this.#put(plan, after, { kind: "primary_wins" });
  }

  async #delete(plan: TablePlan, before: Row): Promise<void> {
    const values = new Values();
    const text = `delete from ${plan.target} as t where ${keyCondition(plan, before, values)}`;
    const { rowCount } = await this.#query(plan, before, text, values.list);
    if (rowCount !== 1) this.#conflict(plan, before, "a delete found no row");
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
      for (const plan of plans) await client.query(`delete from ${plan.target}`);
    }
    await client.query("release savepoint truncating");
  }

  async #query(
    plan: TablePlan,
    row: Row,
    text: string,
    values: readonly (string | null)[],
  ): Promise<QueryResult> {
    try {
      return await this.#options.client.query(text, [...values]);
    } catch (error) {
      throw this.#refused(error, plan, row);
    }
  }

  #conflict(plan: TablePlan, row: Row, what: string): void {
    const { policy, logger, replica } = this.#options;
    if (policy.kind === "halt") throw this.#refusal("conflict-halted", plan, row, what);
    this.conflicts += 1;
    logger.warn(
      { replica, table: plan.quoted, key: keyText(plan, row), policy: policy.kind },
      `conflict: ${what}`,
    );
  }

  #refusal(
    code: "row-incomplete" | "conflict-halted",
    plan: TablePlan,
    row: Row,
    what: string,
  ): ReplicationError {
    const { replica } = this.#options;
    const key = keyText(plan, row);
    return new ReplicationError(code, `replica ${replica}, table ${plan.quoted}, key ${key}: ${what}`, {
      fix: "make that row of the replica what it is on the primary, then start again",
      fields: { replica, table: plan.quoted, key },
    });
  }

  /** What the server refuses will be refused again: named with table and key, without the row (S1). */
  #refused(error: unknown, plan: TablePlan, row: Row | null): unknown {
    const { replica } = this.#options;
    const known = toReplicationError(error, `replica ${replica}`);
    const sqlState = sqlStateOf(known);
    if (sqlState === null || !(known instanceof Error)) return known;
    const constraint =
      "constraint" in known && typeof known.constraint === "string" ? known.constraint : null;
    const key = row === null ? "(all)" : keyText(plan, row);
    const because =
      constraint === null ? `SQLSTATE ${sqlState}` : `SQLSTATE ${sqlState}, constraint ${constraint}`;
    return new ReplicationError(
      "apply-refused",
      `replica ${replica} refuses a change of ${plan.quoted}, key ${key}: ${because}`,
      {
        cause: new Error(sqlState === "22P02" || sqlState.startsWith("23") ? because : known.message),
        fix: "make the replica's table accept what the primary has, then start again",
        fields: { replica, table: plan.quoted, key, sqlState, constraint },
      },
    );
  }
}

function insertText(plan: TablePlan): string {
  const names = plan.columns.map((column) => column.quoted).join(", ");
  const values = plan.columns.map((column, index) => `$${index + 1}::${column.typeName}`).join(", ");
  const insert = `insert into ${plan.quoted} (${names}) overriding system value values (${values})`;
  const key = plan.keyColumns.flatMap((index) => plan.columns[index]?.quoted ?? []).join(", ");
  return key === "" ? insert : `${insert} on conflict (${key}) do nothing`;
}

/** Makes the row that is there what the given one is; null where the policy, or a row of nothing but its key, leaves it. */
function overwriteText(plan: TablePlan, row: Row, policy: ConflictPolicy, values: Values): string | null {
  if (policy.kind === "replica_wins" || policy.kind === "halt") return null;
  const assignments = plan.columns.flatMap(({ isKey, quoted }, index) =>
    isKey ? [] : [`${quoted} = ${values.add(plan, index, row[index] ?? null)}`],
  );
  if (assignments.length === 0) return null;
  const update = `update ${plan.target} as t set ${assignments.join(", ")} where ${keyCondition(plan, row, values)}`;
  if (policy.kind === "primary_wins") return update;
  const decides = plan.table.columns.findIndex((column) => column.name === policy.column);
  const column = plan.columns[decides];
  if (column === undefined) return update;
  const given = values.add(plan, decides, row[decides] ?? null);
  return `${update} and (t.${column.quoted} is null or ${given} >= t.${column.quoted})`;
}

/** Finds the row: by its key, or, without one, any single one that holds the same. */
function keyCondition(plan: TablePlan, row: Row, values: Values): string {
  if (plan.keyColumns.length === 0) {
    return `(t.tableoid, t.ctid) = (select m.tableoid, m.ctid from ${plan.target} as m
             where ${sameRow(plan, row, values)} limit 1)`;
  }
  return plan.keyColumns
    .map((index) => {
      const { quoted = "", equals = "=", comparedAs = "" } = plan.columns[index] ?? {};
      return `t.${quoted}${comparedAs} ${equals} ${values.add(plan, index, row[index] ?? null)}${comparedAs}`;
    })
    .join(" and ");
}

/** Compared as texts: not every type has an equality, and equal is not always the same (1.1 and 1.10). */
function sameRow(plan: TablePlan, row: Row, values: Values): string {
  return plan.columns
    .map(({ quoted }, index) => {
      const given = values.add(plan, index, row[index] ?? null);
      return `m.${quoted}::pg_catalog.text is not distinct from ${given}::pg_catalog.text`;
    })
    .join(" and ");
}

/** The key, for messages: it is what a person needs to find the row. */
function keyText(plan: TablePlan, row: Row): string {
  if (plan.keyColumns.length === 0) return "(none)";
  return plan.keyColumns
    .map((index) => `${plan.table.columns[index]?.name ?? "?"}=${String(row[index])}`)
    .join(", ");
}

function cellsOf(row: Row): (string | null)[] {
  return row.map((cell) => (typeof cell === "string" ? cell : null));
}

class Values {
  readonly list: (string | null)[] = [];

  add(plan: TablePlan, index: number, cell: Row[number]): string {
    this.list.push(typeof cell === "string" ? cell : null);
    return `$${this.list.length}::${plan.columns[index]?.typeName ?? "pg_catalog.text"}`;
  }
}

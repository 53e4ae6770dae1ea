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
    const { policy } = this.#options;
    const overwrites = policy.kind === "primary_wins" || policy.kind === "latest_wins";
    const { rows, rowCount } = await this.#query(plan, after, upsertText(plan, policy), cellsOf(after));
    const first: unknown = rows[0];
    const isNew = overwrites ? isInserted(first) : rowCount === 1;
    if (!isNew) this.#conflict(plan, after, "an insert found the row there");
  }

  async #update(plan: TablePlan, before: Row | undefined, after: Row): Promise<void> {
    const values = new Values();
    const isMoved = before !== undefined;
    const assignments = plan.columns.flatMap((column, index) => {
      const cell = after[index];
      if (cell === undefined || cell === NOT_CARRIED || (column.isKey && !isMoved)) return [];
      return [`${column.quoted} = ${values.add(plan, index, cell)}`];
    });
    if (assignments.length === 0) return;
    const key = keyCondition(plan, before ?? after, values);
    const text = `update only ${plan.quoted} as t set ${assignments.join(", ")} where ${key}`;
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
    await this.#query(plan, after, upsertText(plan, { kind: "primary_wins" }), cellsOf(after));
  }

  async #delete(plan: TablePlan, before: Row): Promise<void> {
    const values = new Values();
    const text = `delete from only ${plan.quoted} as t where ${keyCondition(plan, before, values)}`;
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
      await client.query(`truncate only ${plans.map((plan) => plan.quoted).join(", ")}${restart}`);
    } catch (error) {
      if (sqlStateOf(error) !== FEATURE_NOT_SUPPORTED) throw this.#refused(error, first, null);
      await client.query("rollback to savepoint truncating");
      for (const plan of plans) await client.query(`delete from only ${plan.quoted}`);
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

function upsertText(plan: TablePlan, policy: ConflictPolicy): string {
  const names = plan.columns.map((column) => column.quoted).join(", ");
  const values = plan.columns.map((column, index) => `$${index + 1}::${column.typeName}`).join(", ");
  const insert = `insert into ${plan.quoted} as t (${names}) overriding system value values (${values})`;
  const key = plan.keyColumns.flatMap((index) => plan.columns[index]?.quoted ?? []).join(", ");
  const others = plan.columns.filter((column) => !column.isKey);
  if (others.length === 0 || policy.kind === "replica_wins" || policy.kind === "halt") {
    return `${insert} on conflict (${key}) do nothing returning true as "isInserted"`;
  }
  const assignments = others.map(({ quoted }) => `${quoted} = excluded.${quoted}`).join(", ");
  const update = `${insert} on conflict (${key}) do update set ${assignments}`;
  const returning = `returning (t.xmax::pg_catalog.text = '0') as "isInserted"`;
  if (policy.kind !== "latest_wins") return `${update} ${returning}`;
  const decides = plan.table.columns.findIndex((column) => column.name === policy.column);
  const column = plan.columns[decides];
  if (column === undefined) return `${update} ${returning}`;
  return `${update} where t.${column.quoted} is null or excluded.${column.quoted} >= t.${column.quoted} ${returning}`;
}

function isInserted(row: unknown): boolean {
  return typeof row === "object" && row !== null && "isInserted" in row && row.isInserted === true;
}

function keyCondition(plan: TablePlan, row: Row, values: Values): string {
  return plan.keyColumns
    .map((index) => {
      const column = plan.columns[index];
      return `t.${column?.quoted ?? ""} ${column?.equals ?? "="} ${values.add(plan, index, row[index] ?? null)}`;
    })
    .join(" and ");
}

/** The key, for messages: it is what a person needs to find the row. */
function keyText(plan: TablePlan, row: Row): string {
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

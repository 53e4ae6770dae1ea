import { NOT_CARRIED, type ConflictPolicy, type Row } from "@lockstep/core";
import type { Statement } from "./batch.ts";
import { sentText, type TablePlan } from "./table-plan.ts";

/** Inserts the row unless one with its key is there. */
export function insertStatement(plan: TablePlan, row: Row): Statement {
  const names = plan.columns.map((column) => column.quoted).join(", ");
  const values = plan.columns.map((column, index) => `$${index + 1}::${column.typeName}`).join(", ");
  const insert = `insert into ${plan.quoted} (${names}) overriding system value values (${values})`;
  const key = plan.keyColumns.flatMap((index) => plan.columns[index]?.quoted ?? []).join(", ");
  return {
    text: key === "" ? insert : `${insert} on conflict (${key}) do nothing`,
    values: plan.columns.map((column, index) => sentText(column, row[index])),
  };
}

export function deleteStatement(plan: TablePlan, row: Row): Statement {
  const values = new Values(plan);
  const text = `delete from ${plan.target} as t where ${keyCondition(plan, row, values)}`;
  return { text, values: values.list };
}

/** How a row that is there becomes what an update says. */
export type RowUpdate =
  /** It carries nothing that would change. */
  | { readonly kind: "nothing" }
  /** Finds no row also where a column that no UPDATE can set is another: then it is to be replaced. */
  | { readonly kind: "update"; readonly statement: Statement }
  | { readonly kind: "replace" };

export function updateOf(plan: TablePlan, before: Row | undefined, after: Row): RowUpdate {
  const values = new Values(plan);
  const isMoved = before !== undefined && plan.keyColumns.some((index) => before[index] !== after[index]);
  const assignments: string[] = [];
  const conditions: string[] = [];
  for (const [index, column] of plan.columns.entries()) {
    const cell = after[index];
    if (cell === undefined || cell === NOT_CARRIED || (column.isKey && !isMoved)) continue;
    const former = before?.[index] ?? NOT_CARRIED;
    if (!column.isAlwaysIdentity) assignments.push(`${column.quoted} = ${values.add(index, cell)}`);
    else if (former === NOT_CARRIED) conditions.push(sameIdentity(column.quoted, values.add(index, cell)));
    else if (former !== cell) return { kind: "replace" };
  }
  if (assignments.length === 0) return { kind: conditions.length === 0 ? "nothing" : "replace" };
  const condition = [keyCondition(plan, before ?? after, values), ...conditions].join(" and ");
  const text = `update ${plan.target} as t set ${assignments.join(", ")} where ${condition}`;
  return { kind: "update", statement: { text, values: values.list } };
}

/**
 * Deletes the row that `former` names and inserts it again as `row` has it: an INSERT can set what an UPDATE
 * cannot. What the row does not carry, and the replica's own columns, stay.
 */
export function replaceStatement(
  plan: TablePlan,
  former: Row,
  row: Row,
  policy: ConflictPolicy = { kind: "primary_wins" },
): Statement {
  const values = new Values(plan);
  const condition = keyCondition(plan, former, values) + newerCondition(plan, row, policy, values);
  const cells = plan.columns.map(({ quoted }, index) => {
    const cell = row[index] ?? null;
    return cell === NOT_CARRIED ? `gone.${quoted}` : values.add(index, cell);
  });
  const names = [...plan.columns.map(({ quoted }) => quoted), ...plan.ownColumns].join(", ");
  const selected = [...cells, ...plan.ownColumns.map((quoted) => `gone.${quoted}`)].join(", ");
  const text = `with gone as (delete from ${plan.target} as t where ${condition} returning t.*)
    insert into ${plan.quoted} (${names}) overriding system value select ${selected} from gone`;
  return { text, values: values.list };
}

/** Makes the row that is there what the given one is; null where the policy, or a row of nothing but its key, leaves it. */
export function overwriteStatement(plan: TablePlan, row: Row, policy: ConflictPolicy): Statement | null {
  if (policy.kind === "replica_wins" || policy.kind === "halt") return null;
  if (plan.columns.some(({ isAlwaysIdentity, isKey }) => isAlwaysIdentity && !isKey))
    return replaceStatement(plan, row, row, policy);
  const values = new Values(plan);
  const assignments = plan.columns.flatMap(({ isKey, quoted }, index) =>
    isKey ? [] : [`${quoted} = ${values.add(index, row[index] ?? null)}`],
  );
  if (assignments.length === 0) return null;
  const condition = keyCondition(plan, row, values) + newerCondition(plan, row, policy, values);
  const text = `update ${plan.target} as t set ${assignments.join(", ")} where ${condition}`;
  return { text, values: values.list };
}

/** An identity is a number and never NULL. */
export function sameIdentity(quoted: string, value: string): string {
  return `t.${quoted} operator(pg_catalog.=) ${value}`;
}

/** Where the policy lets a column decide: nothing else, or that the given row is not the older one. */
function newerCondition(plan: TablePlan, row: Row, policy: ConflictPolicy, values: Values): string {
  if (policy.kind !== "latest_wins") return "";
  const decides = plan.table.columns.findIndex((column) => column.name === policy.column);
  const column = plan.columns[decides];
  if (column === undefined) return "";
  const given = values.add(decides, row[decides] ?? null);
  return ` and (t.${column.quoted} is null or ${given} >= t.${column.quoted})`;
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
      return `t.${quoted}${comparedAs} ${equals} ${values.add(index, row[index] ?? null)}${comparedAs}`;
    })
    .join(" and ");
}

/** Compared as texts: not every type has an equality, and equal is not always the same (1.1 and 1.10). */
function sameRow(plan: TablePlan, row: Row, values: Values): string {
  return plan.columns
    .map(({ quoted, foreign }, index) => {
      const given = values.add(index, row[index] ?? null);
      if (foreign?.isComparedByValue === true) return `m.${quoted} is not distinct from ${given}`;
      return `m.${quoted}::pg_catalog.text is not distinct from ${given}::pg_catalog.text`;
    })
    .join(" and ");
}

/** The parameters of one statement. */
class Values {
  readonly list: (string | null)[] = [];
  readonly #plan: TablePlan;

  constructor(plan: TablePlan) {
    this.#plan = plan;
  }

  /** SQL for a value of a column. */
  add(index: number, cell: Row[number]): string {
    const column = this.#plan.columns[index];
    if (column === undefined) throw new TypeError(`table ${this.#plan.quoted} has no column ${index}`);
    this.list.push(sentText(column, cell));
    return `$${this.list.length}::${column.typeName}`;
  }
}

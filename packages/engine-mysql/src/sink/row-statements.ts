import { NOT_CARRIED, type ConflictPolicy, type Row } from "@lockstep/core";
import { cellSql, columnOf, comparedSql, type TablePlan, type TargetColumn } from "./table-plan.ts";

/** A plain one: a row that is there already raises. */
export function insertStatement(plan: TablePlan, row: Row): string {
  const written = plan.columns.flatMap((column, index) =>
    column.isGenerated ? [] : [[column, index] as const],
  );
  const names = written.map(([{ quoted }]) => quoted).join(", ");
  const values = written.map(([column, index]) => cellSql(column, row[index])).join(", ");
  return `insert into ${plan.quoted} (${names}) values (${values})`;
}

export function deleteStatement(plan: TablePlan, row: Row): string {
  return `delete from ${plan.quoted} where ${rowCondition(plan, row)}`;
}

/** Finds the row of the key. */
export function findStatement(plan: TablePlan, row: Row): string {
  return `select 1 from ${plan.quoted} where ${rowCondition(plan, row)} for update`;
}

/** Null where nothing of what the update carries would change the row. */
export function updateStatement(plan: TablePlan, before: Row | undefined, after: Row): string | null {
  const isMoved = before !== undefined && plan.keyColumns.some((index) => before[index] !== after[index]);
  const assignments = plan.columns.flatMap((column, index) => {
    const cell = after[index];
    const isSet = cell !== NOT_CARRIED && !column.isGenerated && (!column.isKey || isMoved);
    return isSet ? [`${column.quoted} = ${cellSql(column, cell)}`] : [];
  });
  if (assignments.length === 0) return null;
  return `update ${plan.quoted} set ${assignments.join(", ")} where ${rowCondition(plan, before ?? after)}`;
}

/** Makes the row that is there what the given one is; null where the policy, or a row of nothing but its key, leaves it. */
export function overwriteStatement(plan: TablePlan, row: Row, policy: ConflictPolicy): string | null {
  if (policy.kind === "replica_wins" || policy.kind === "halt") return null;
  const assignments = plan.columns.flatMap((column, index) =>
    column.isKey || column.isGenerated ? [] : [`${column.quoted} = ${cellSql(column, row[index])}`],
  );
  if (assignments.length === 0) return null;
  const condition = rowCondition(plan, row) + newerCondition(plan, row, policy);
  return `update ${plan.quoted} set ${assignments.join(", ")} where ${condition}`;
}

/** Where the policy lets a column decide: nothing else, or that the given row is not the older one. */
function newerCondition(plan: TablePlan, row: Row, policy: ConflictPolicy): string {
  if (policy.kind !== "latest_wins") return "";
  const decides = plan.table.columns.findIndex(({ name }) => name === policy.column);
  const column = plan.columns[decides];
  if (column === undefined) return "";
  return ` and (${column.quoted} is null or ${comparedSql(column, row[decides])} >= ${column.quoted})`;
}

/** Finds the row: by its key, or, without one, any single one that holds the same. */
function rowCondition(plan: TablePlan, row: Row): string {
  if (plan.keyColumns.length === 0) {
    const same = plan.columns.flatMap((column, index) =>
      column.isGenerated || row[index] === NOT_CARRIED ? [] : [sameValue(column, row[index] ?? null)],
    );
    return `${same.join(" and ")} limit 1`;
  }
  return plan.keyColumns
    .map((index) => {
      const column = columnOf(plan, index);
      return `${column.quoted} = ${comparedSql(column, row[index])}`;
    })
    .join(" and ");
}

/** A collation takes for equal what is not the same, and a space at the end for nothing. */
function sameValue(column: TargetColumn, cell: string | null): string {
  const { kind, quoted } = column;
  if (cell === null) return `${quoted} is null`;
  const given = comparedSql(column, cell);
  if (kind === "text") return `cast(convert(${quoted} using utf8mb4) as binary) = cast(${given} as binary)`;
  if (kind === "json") return `${quoted} = cast(${given} as json)`;
  return kind === "geometry" ? `cast(${quoted} as binary) = ${given}` : `${quoted} = ${given}`;
}

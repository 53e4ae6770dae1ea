import { missingColumns, type Column, type CommonTable, type Difference, type Table } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import { addedColumn } from "../schema/from-common.ts";
import { takenTypes } from "../schema/type-rules.ts";
import { takenForEqual } from "./key-collation.ts";
import { lackingLabels } from "./labels.ts";
import { matchColumn } from "./match-column.ts";
import type { PlanDetails, TablePlan, TargetColumn } from "./table-plan.ts";
import type { CatalogColumn } from "./target-catalog.ts";

/** The plan of a table, or all in which it differs. */
export type MatchedTable = { readonly plan: TablePlan } | { readonly differences: readonly Difference[] };

export function matchTable(
  table: Table,
  rows: readonly CatalogColumn[],
  { isOwn, needsKey, common }: PlanDetails & Pick<MissingFrom, "isOwn">,
): MatchedTable {
  const [first] = rows;
  if (first === undefined)
    return { differences: [{ what: "it does not exist", fix: "create it there as it is on the primary" }] };
  if (first.relationKind !== "r" && first.relationKind !== "p")
    return { differences: [{ what: "it is not a table", fix: "make it one, or exclude it" }] };
  const own = new Map(rows.map((row) => [row.name, row]));
  const differences: Difference[] = [];
  const missing = table.columns.filter(({ name }) => !own.has(name));
  if (missing.length > 0) differences.push(missingFrom(table, missing, { rows, common, isOwn }));
  const columns = table.columns.flatMap((column) => {
    const target = own.get(column.name);
    if (target === undefined) return [];
    return matchColumn(table, column, { target, isOwn, differences }) ?? [];
  });
  // The replica generates its own; the source does not send them.
  const surplus = surplusOf(table, rows).filter((row) => !row.isGenerated);
  differences.push(...valueless(table, surplus, missing), ...lackingLabels(rows, common));
  const keyColumns = table.columns.flatMap((column, index) => (column.isKey ? [index] : []));
  for (const index of keyColumns)
    differences.push(...takenForEqual(table, table.columns[index], { rows, common, isOwn }));
  const lacksKey = needsKey === true && keyColumns.length > 0 && !first.hasIndex;
  // A key of columns that are missing is, too.
  if (lacksKey && missing.every(({ isKey }) => !isKey)) differences.push(noKey(first, table));
  if (differences.length > 0) return { differences };
  return { plan: planOf(table, first, { columns, surplus, keyColumns }) };
}

function planOf(
  table: Table,
  { relationKind }: CatalogColumn,
  of: {
    readonly columns: readonly TargetColumn[];
    readonly surplus: readonly CatalogColumn[];
    readonly keyColumns: readonly number[];
  },
): TablePlan {
  const quoted = quoteTable(table);
  return {
    table,
    quoted,
    target: relationKind === "p" ? quoted : `only ${quoted}`,
    columns: of.columns,
    ownColumns: of.surplus.map(({ name }) => quoteIdentifier(name)),
    keyColumns: of.keyColumns,
  };
}

function surplusOf({ columns }: Table, rows: readonly CatalogColumn[]): CatalogColumn[] {
  const names = new Set(columns.map(({ name }) => name));
  return rows.filter(({ name }) => !names.has(name));
}

function valueless(
  table: Table,
  surplus: readonly CatalogColumn[],
  missing: readonly Column[],
): Difference[] {
  // No columns: of a table that was only ever truncated, no more is known.
  if (table.columns.length === 0) return [];
  const unless = missing.length === 0 ? "" : ", unless it was renamed";
  return surplus
    .filter(({ isRequired }) => isRequired)
    .map(({ name }) => ({
      what: `column ${name} is not on the primary, and every row needs a value for it`,
      fix: `run there${unless}: alter table ${quoteTable(table)} alter column ${quoteIdentifier(name)} set default …`,
    }));
}

function noKey({ isKeyDeferrable }: CatalogColumn, { columns }: Table): Difference {
  if (isKeyDeferrable)
    return { what: "its primary key is deferrable", fix: "make it not deferrable, as on the primary" };
  const names = columns.flatMap(({ name, isKey }) => (isKey ? [quoteIdentifier(name)] : [])).join(", ");
  return {
    what: "its primary key is another",
    fix: `give it the primary's primary key, or a unique index on (${names})`,
  };
}

interface MissingFrom {
  /** Of the replica's table. */
  readonly rows: readonly CatalogColumn[];
  readonly common: CommonTable | undefined;
  /** The primary is a PostgreSQL, too. */
  readonly isOwn: boolean;
}

function missingFrom(
  table: Table,
  missing: readonly Column[],
  { rows, common, isOwn }: MissingFrom,
): Difference {
  const alter = `alter table ${quoteTable(table)}`;
  const wordsOf = ({ name, type, nativeType }: Column): string => {
    const column = common?.columns.find((one) => one.name === name);
    if (column === undefined || common === undefined) return isOwn ? nativeType : `… (${takenTypes(type)})`;
    return isOwn ? column.definition : addedColumn(common, column);
  };
  const pairs = renamedOf(missing, surplusOf(table, rows));
  const renames = pairs.map(
    ([from, to]) => `${alter} rename column ${quoteIdentifier(from)} to ${quoteIdentifier(to)}`,
  );
  const added = missing.length === 1 ? "the default that it was" : "the defaults that they were";
  return missingColumns({
    names: missing.map(({ name }) => name),
    alter,
    adds: missing.map((column) => `add column ${quoteIdentifier(column.name)} ${wordsOf(column)}`),
    hint: `, with ${added} added with on the primary, if any: rows that are there already have it`,
    rename: renames.length === 0 ? null : `run there: ${renames.join("; ")}`,
  });
}

/** What each may have been called before: a column of the same type first, and each but once. */
function renamedOf(missing: readonly Column[], surplus: readonly CatalogColumn[]): [string, string][] {
  const free = new Set(surplus);
  return missing.flatMap(({ name, nativeType }): [string, string][] => {
    const found = [...free].find((other) => other.nativeType === nativeType) ?? [...free][0];
    if (found === undefined) return [];
    free.delete(found);
    return [[found.name, name]];
  });
}

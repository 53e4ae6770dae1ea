import { missingColumns, type Column, type Difference, type Table } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteIdentifier, quoteTable, quoteText } from "../quoting.ts";
import type { Dialect } from "../schema/type-rules.ts";
import type { WholeTable } from "../schema/whole-table.ts";
import { takenForEqual } from "./key-collation.ts";
import { lackingLabels } from "./labels.ts";
import { comparisonFor, literalFor } from "./literal.ts";
import { postgresLiteral } from "./postgres-literal.ts";
import type { TablePlan, TargetColumn } from "./table-plan.ts";
import { targetKindOf, type CatalogColumn } from "./target-type.ts";

/** The plan of a table, or all in which it differs. */
export type MatchedTable = { readonly plan: TablePlan } | { readonly differences: readonly Difference[] };

/** A table of a replica, as its catalog has it. */
export interface TableThere {
  readonly rows: readonly CatalogColumn[];
  /** The columns of each unique index on whole values. */
  readonly indexes: readonly (readonly string[])[];
  /** Null: it is no table, or not there. */
  readonly engine: string | null;
}

interface MatchOptions {
  /** Whose words the primary's native types are; undefined: the replica's own. */
  readonly dialect: Dialect | undefined;
  /** Of the replica. */
  readonly flavour: Flavour;
  readonly whole: WholeTable | undefined;
}

export function matchTable(
  table: Table,
  { rows, indexes, engine }: TableThere,
  { dialect, flavour, whole }: MatchOptions,
): MatchedTable {
  if (engine === null)
    return { differences: [{ what: "it does not exist", fix: "create it there as it is on the primary" }] };
  const own = new Map(rows.map((row) => [row.name.toLowerCase(), row]));
  const ownOf = ({ name }: Column): CatalogColumn | undefined => own.get(name.toLowerCase());
  const missing = table.columns.filter((column) => ownOf(column) === undefined);
  const differences = [...withoutTransactions(table, engine), ...missingFrom(table, missing, whole)];
  const columns = table.columns.map((column) =>
    matchColumn(table, column, { target: ownOf(column), dialect, differences }),
  );
  differences.push(...valueless(table, rows, missing));
  const keyColumns = table.columns.flatMap((column, index) => (column.isKey ? [index] : []));
  const key = keyColumns.flatMap((index) => columns[index]?.name ?? []);
  if (keyColumns.length > 0 && key.length === keyColumns.length) differences.push(...noKey(key, indexes));
  for (const index of keyColumns) {
    const [target, column] = [columns[index] ?? null, table.columns[index]];
    const catalog = column === undefined ? undefined : ownOf(column);
    if (target === null || catalog === undefined) continue;
    const common = whole?.common.columns.find(({ name }) => name === column?.name);
    const of = { table, target, catalog, common, dialect: dialect ?? flavour, flavour };
    differences.push(...takenForEqual(of));
  }
  differences.push(...lackingLabels(table, rows, whole));
  if (differences.length > 0) return { differences };
  const matched = columns.filter((column) => column !== null);
  const rowWord = flavour === "mariadb" ? "" : "row";
  return { plan: { table, quoted: quoteTable(table), columns: matched, keyColumns, rowWord } };
}

/** What is written elsewhere stays where the target transaction is rolled back (A3, A4). */
function withoutTransactions(table: Table, engine: string): Difference[] {
  if (engine === "InnoDB") return [];
  const what = `its storage engine, ${engine}, has no transactions that hold with others`;
  return [{ what, fix: `run there: alter table ${quoteTable(table)} engine = InnoDB` }];
}

function missingFrom(table: Table, missing: readonly Column[], whole: WholeTable | undefined): Difference[] {
  if (missing.length === 0) return [];
  const wordsOf = ({ name, nativeType }: Column): string =>
    whole?.definitionOf(name) ?? `… (${nativeType} on the primary)`;
  return [
    missingColumns({
      names: missing.map(({ name }) => name),
      alter: `alter table ${quoteTable(table)}`,
      adds: missing.map((column) => `add column ${quoteIdentifier(column.name)} ${wordsOf(column)}`),
      hint: whole === undefined ? "; lockstep check says all of it" : "",
      rename: `rename ${missing.length === 1 ? "it" : "them"} there`,
    }),
  ];
}

/** The replica generates its own; the source's own are not written. */
function valueless(table: Table, rows: readonly CatalogColumn[], missing: readonly Column[]): Difference[] {
  // No columns: of a table that was only ever truncated, no more is known.
  if (table.columns.length === 0) return [];
  const names = new Set(table.columns.map(({ name }) => name.toLowerCase()));
  const unless = missing.length === 0 ? "" : ", unless it was renamed";
  return rows
    .filter((row) => row.isRequired && !row.isGenerated && !names.has(row.name.toLowerCase()))
    .map(({ name }) => ({
      what: `column ${name} is not on the primary, and every row needs a value for it`,
      fix: `run there${unless}: alter table ${quoteTable(table)} alter column ${quoteIdentifier(name)} set default …`,
    }));
}

function noKey(key: readonly string[], indexes: readonly (readonly string[])[]): Difference[] {
  const wanted = JSON.stringify(key.toSorted());
  if (indexes.some((columns) => JSON.stringify(columns.toSorted()) === wanted)) return [];
  const names = key.map(quoteIdentifier).join(", ");
  const fix = `give it the primary's primary key, or a unique index on (${names})`;
  return [{ what: "its primary key is another", fix }];
}

interface MatchedColumn {
  readonly target: CatalogColumn | undefined;
  readonly dialect: Dialect | undefined;
  /** Told what differs. */
  readonly differences: Difference[];
}

/** How a column of the replica is written; null: it is missing, or does not take what the primary's holds. */
function matchColumn(
  table: Table,
  column: Column,
  { target, dialect, differences }: MatchedColumn,
): TargetColumn | null {
  if (target === undefined) return null;
  const { name, type, nativeType, isKey } = column;
  const written = dialect === "postgres" ? postgresLiteral(column, target) : literalFor(type, target);
  const literal = written ?? (target.isGenerated ? quoteText : null);
  if (literal === null) {
    differences.push({
      what: `column ${name} is ${target.columnType}, which does not hold every ${nativeType} of the primary`,
      fix: `run there: alter table ${quoteTable(table)} modify column ${quoteIdentifier(name)} … to a type that does`,
    });
    return null;
  }
  return {
    name: target.name,
    quoted: quoteIdentifier(target.name),
    isKey,
    isGenerated: target.isGenerated,
    kind: targetKindOf(target),
    literal,
    comparison: comparisonFor(literal, target),
    charset: target.charset,
    collation: target.collation,
    fillsNull: target.fillsNull,
  };
}

import {
  NOT_CARRIED,
  ReplicationError,
  tableLabel,
  type Cell,
  type Column,
  type CommonTable,
  type Row,
  type Table,
} from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import { addedColumn } from "../schema/from-common.ts";
import { UnfitValue, type TakenType, type Write } from "../schema/exact-values.ts";
import { takenTypes, writeFor } from "../schema/type-rules.ts";
import { requireToldApart } from "./key-collation.ts";
import { requireLabels } from "./labels.ts";
import { Mismatch } from "./mismatch.ts";
import { readTarget, type CatalogColumn } from "./target-catalog.ts";

/** How one column of the replica is written. */
export interface TargetColumn {
  readonly quoted: string;
  readonly isKey: boolean;
  /**
   * The type without its modifier, quoted: a value is parsed as this and then *assigned*, so that the server
   * refuses what does not fit; a cast with the modifier would cut it off in silence (V1).
   */
  readonly typeName: string;
  /** Arrays and composites: `unnest` would take them apart, so they travel as text. */
  readonly isThroughText: boolean;
  /** How two values of it are compared for equality, once both are cast by `comparedAs`, which may be empty. */
  readonly equals: string;
  readonly comparedAs: string;
  /** Generated always as identity: an INSERT can set it, an UPDATE cannot. */
  readonly isAlwaysIdentity: boolean;
  /** Of a primary of another engine: null where it is of this one, whose text it takes as it is. */
  readonly foreign: ForeignColumn | null;
}

/** A column that takes what another engine's holds. */
interface ForeignColumn {
  readonly name: string;
  readonly nativeType: string;
  readonly write: Write;
  /** Equal values may have several texts here: 1.5 and 1.50. */
  readonly isComparedByValue: boolean;
}

/** What a source's table is in the replica, checked. */
export interface TablePlan {
  readonly table: Table;
  readonly quoted: string;
  /** For statements on rows that are there: without what inherits from it, but with its partitions. */
  readonly target: string;
  /** In the order of the source's columns. */
  readonly columns: readonly TargetColumn[];
  /** Quoted: the replica's own, which are not generated. */
  readonly ownColumns: readonly string[];
  /** Empty: a table without a key, whose rows are found by all that they hold. */
  readonly keyColumns: readonly number[];
}

/** For whom tables are planned. */
export interface PlanFor {
  readonly replica: string;
  /** Whose words the primary's native types are. */
  readonly dialect: string;
}

export const OWN_DIALECT = "postgres";

interface PlanDetails {
  /** Default true; else its key may be still to come. */
  readonly needsKey?: boolean;
  /** What the source's table is in whole, where that is known. */
  readonly common?: CommonTable | undefined;
}

/** Compares the source's table with the replica's; `schema-mismatch` names what differs and the fix. */
export async function planTable(
  client: Client,
  { replica, dialect }: PlanFor,
  table: Table,
  { needsKey = true, common }: PlanDetails = {},
): Promise<TablePlan> {
  const rows = await readTarget(client, table);
  try {
    return matchTable(table, rows, { dialect, needsKey, common });
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new ReplicationError(
      "schema-mismatch",
      `table ${tableLabel(table)} on replica ${replica}: ${error.message}`,
      { fix: error.fix, fields: { replica, table: tableLabel(table) } },
    );
  }
}

function matchTable(
  table: Table,
  rows: readonly CatalogColumn[],
  { dialect, needsKey, common }: PlanDetails & Pick<PlanFor, "dialect">,
): TablePlan {
  const [first] = rows;
  if (first === undefined) throw new Mismatch("it does not exist", "create it there as it is on the primary");
  if (first.relationKind !== "r" && first.relationKind !== "p")
    throw new Mismatch("it is not a table", "make it one, or exclude it");
  // The replica generates its own; the source does not send them.
  const targets = new Map(rows.filter((row) => !row.isGenerated).map((row) => [row.name, row]));
  const columns = table.columns.map((column) => {
    const target = targets.get(column.name);
    targets.delete(column.name);
    if (target === undefined && rows.some(({ name }) => name === column.name)) throw generated(table, column);
    const surplus = rows.filter(({ name }) => table.columns.every((other) => other.name !== name));
    const isOwn = dialect === OWN_DIALECT;
    return matchColumn(table, {
      column,
      target,
      surplus,
      isOwn,
      definition: definitionOf(column, common, isOwn),
    });
  });
  for (const surplus of targets.values()) {
    // No columns: of a table that was only ever truncated, no more is known.
    if (!surplus.isRequired || table.columns.length === 0) continue;
    throw new Mismatch(
      `column ${surplus.name} is not on the primary, and every row needs a value for it`,
      `run there: alter table ${quoteTable(table)} alter column ${quoteIdentifier(surplus.name)} set default …`,
    );
  }
  const keyColumns = table.columns.flatMap((column, index) => (column.isKey ? [index] : []));
  requireLabels(rows, common);
  for (const index of keyColumns)
    requireToldApart(table, table.columns[index], { rows, common, isOwn: dialect === OWN_DIALECT });
  if (needsKey === true && keyColumns.length > 0 && !first.hasIndex) throw noKey(first, columns, keyColumns);
  const quoted = quoteTable(table);
  return {
    table,
    quoted,
    target: first.relationKind === "p" ? quoted : `only ${quoted}`,
    columns,
    ownColumns: [...targets.keys()].map(quoteIdentifier),
    keyColumns,
  };
}

/** On the primary it is a column as any other: a PostgreSQL sends none that is generated, other engines do. */
function generated(table: Table, { name }: Column): Mismatch {
  return new Mismatch(
    `column ${name} is generated there, and the primary sends its values`,
    `run there: alter table ${quoteTable(table)} alter column ${quoteIdentifier(name)} drop expression`,
  );
}

function noKey(
  { isKeyDeferrable }: CatalogColumn,
  columns: readonly TargetColumn[],
  keyColumns: readonly number[],
): Mismatch {
  if (isKeyDeferrable)
    return new Mismatch("its primary key is deferrable", "make it not deferrable, as on the primary");
  const names = keyColumns.map((index) => columns[index]?.quoted ?? "").join(", ");
  return new Mismatch(
    "its primary key is another",
    `give it the primary's primary key, or a unique index on (${names})`,
  );
}

function definitionOf({ name }: Column, common: CommonTable | undefined, isOwn: boolean): string | null {
  const column = common?.columns.find((one) => one.name === name);
  if (column === undefined || common === undefined) return null;
  return isOwn ? column.definition : addedColumn(common, column);
}

interface MatchedColumn {
  readonly column: Column;
  readonly target: CatalogColumn | undefined;
  /** Columns of the replica's table that the primary's does not have. */
  readonly surplus: readonly CatalogColumn[];
  /** The primary is a PostgreSQL, too. */
  readonly isOwn: boolean;
  /** All that stands behind its name, where that is known. */
  readonly definition: string | null;
}

function matchColumn(
  table: Table,
  { column, target, surplus, isOwn, definition }: MatchedColumn,
): TargetColumn {
  const { name } = column;
  const nativeType = isOwn ? column.nativeType : `… (${takenTypes(column.type)})`;
  const alter = `run there: alter table ${quoteTable(table)}`;
  const quoted = quoteIdentifier(name);
  if (target === undefined) {
    const add = `${alter} add column ${quoted} ${definition ?? nativeType}, with the default that it was added with on the primary, if any: rows that are there already have it`;
    // Added where it was renamed, rows that are there would lose what they have, in silence.
    const renamed = surplus.find((other) => other.nativeType === nativeType) ?? surplus[0];
    const fix =
      renamed === undefined
        ? add
        : `if it was renamed on the primary, ${alter} rename column ${quoteIdentifier(renamed.name)} to ${quoted}; only if it is new, ${add}`;
    throw new Mismatch(`column ${name} is missing`, fix);
  }
  if (!isOwn) return targetColumn(column, target, foreignColumn(column, target, alter));
  if (target.nativeType !== nativeType) {
    throw new Mismatch(
      `column ${name} is ${target.nativeType}, on the primary ${nativeType}`,
      `${alter} alter column ${quoted} type ${nativeType}`,
    );
  }
  return targetColumn(column, target, null);
}

function foreignColumn(
  { name, type, nativeType: native }: Column,
  target: CatalogColumn,
  alter: string,
): ForeignColumn {
  const { nativeType, typeName } = target;
  const write = writeFor(type, target);
  if (write !== null) return { name, nativeType, write, isComparedByValue: typeName === "numeric" };
  throw new Mismatch(
    `column ${name} is ${nativeType}, which does not take every ${native} of the primary as it is`,
    `${alter} alter column ${quoteIdentifier(name)} type … to one that does: ${takenTypes(type)}`,
  );
}

/** Whether a column of the replica takes what the primary's holds. */
export function takes(
  { type, nativeType }: Column,
  target: TakenType | undefined,
  { dialect }: PlanFor,
): boolean {
  if (target === undefined) return false;
  return dialect === OWN_DIALECT ? target.nativeType === nativeType : writeFor(type, target) !== null;
}

/** A cell as it is sent; one that is not carried is NULL. Throws `UnfitValue`, which names the column. */
export function sentText({ foreign }: TargetColumn, cell: Cell | undefined): string | null {
  if (typeof cell !== "string") return null;
  if (foreign === null) return cell;
  try {
    return foreign.write(cell);
  } catch (error) {
    if (!(error instanceof UnfitValue)) throw error;
    throw new UnfitValue(`column ${foreign.name}: ${error.message}`);
  }
}

function targetColumn({ isKey }: Column, target: CatalogColumn, foreign: ForeignColumn | null): TargetColumn {
  return {
    quoted: quoteIdentifier(target.name),
    isKey,
    typeName: `${quoteIdentifier(target.typeSchema)}.${quoteIdentifier(target.typeName)}`,
    // A domain has its base type's category. One over an array is whole to `unnest`, and cast from text it would
    // be cut to its length in silence (V1).
    isThroughText: target.category === "C" || (target.category === "A" && target.typeKind !== "d"),
    equals: target.equals ?? "=",
    comparedAs: target.comparedAs ?? "",
    isAlwaysIdentity: target.isAlwaysIdentity,
    foreign,
  };
}

/** The columns that a row carries and that are not its key, by whether an UPDATE can set them. */
export function carriedColumns(
  plan: TablePlan,
  row: Row,
): { readonly settable: readonly number[]; readonly fixed: readonly number[] } {
  const settable: number[] = [];
  const fixed: number[] = [];
  for (const [index, { isKey, isAlwaysIdentity }] of plan.columns.entries()) {
    if (!isKey && row[index] !== NOT_CARRIED) (isAlwaysIdentity ? fixed : settable).push(index);
  }
  return { settable, fixed };
}

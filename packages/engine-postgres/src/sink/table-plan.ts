import { NOT_CARRIED, ReplicationError, tableLabel, type Row, type Table } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";

/** How one column of the replica is written. */
export interface TargetColumn {
  readonly quoted: string;
  readonly isKey: boolean;
  /**
   * The type without its modifier, quoted: a value is parsed as this and then *assigned*, so that the server
   * refuses what does not fit; a cast with the modifier would cut it off in silence (V1).
   */
  readonly typeName: string;
  /** Arrays, composites and domains: `unnest` would take them apart, so they travel as text. */
  readonly isThroughText: boolean;
  /** How two values of it are compared for equality. */
  readonly equals: string;
}

/** What a source's table is in the replica, checked. */
export interface TablePlan {
  readonly table: Table;
  readonly quoted: string;
  /** In the order of the source's columns. */
  readonly columns: readonly TargetColumn[];
  readonly keyColumns: readonly number[];
}

interface CatalogColumn {
  readonly name: string;
  readonly nativeType: string;
  readonly typeSchema: string;
  readonly typeName: string;
  readonly typeKind: string;
  readonly category: string;
  readonly isKey: boolean;
  readonly relationKind: string;
}

const READ_COLUMNS = `
  select a.attname as "name", pg_catalog.format_type(a.atttypid, a.atttypmod) as "nativeType",
         tn.nspname as "typeSchema", t.typname as "typeName", t.typtype as "typeKind", t.typcategory as "category",
         coalesce(a.attnum = any (i.indkey), false) as "isKey", c.relkind as "relationKind"
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
    left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary and i.indisvalid
   where n.nspname = $1 and c.relname = $2
   order by a.attnum`;

/** Compares the source's table with the replica's; `schema-mismatch` names what differs and the fix. */
export async function planTable(client: Client, replica: string, table: Table): Promise<TablePlan> {
  const { rows } = await client.query<CatalogColumn>(READ_COLUMNS, [table.schema, table.name]);
  const [first] = rows;
  const mismatch = (what: string, fix: string): ReplicationError =>
    new ReplicationError("schema-mismatch", `table ${tableLabel(table)} on replica ${replica}: ${what}`, {
      fix,
      fields: { replica, table: tableLabel(table) },
    });
  if (first === undefined) throw mismatch("it does not exist", "create it there as it is on the primary");
  if (first.relationKind !== "r") throw mismatch("it is not an ordinary table", "make it one, or exclude it");
  const byName = new Map(rows.map((column) => [column.name, column]));
  const columns = table.columns.map((column) => {
    const target = byName.get(column.name);
    const alter = `alter table ${quoteTable(table)}`;
    const quoted = quoteIdentifier(column.name);
    if (target === undefined) {
      throw mismatch(
        `column ${column.name} is missing`,
        `run there: ${alter} add column ${quoted} ${column.nativeType}`,
      );
    }
    if (target.nativeType !== column.nativeType) {
      throw mismatch(
        `column ${column.name} is ${target.nativeType}, on the primary ${column.nativeType}`,
        `run there: ${alter} alter column ${quoted} type ${column.nativeType}`,
      );
    }
    if (target.isKey !== column.isKey)
      throw mismatch(`its primary key is another`, "give it the primary's primary key");
    byName.delete(column.name);
    return targetColumn(target);
  });
  const [surplus] = byName.keys();
  if (surplus !== undefined) {
    throw mismatch(`column ${surplus} is not on the primary`, `drop it there, or add it to the primary`);
  }
  const keyColumns = columns.flatMap((column, index) => (column.isKey ? [index] : []));
  return { table, quoted: quoteTable(table), columns, keyColumns };
}

function targetColumn(column: CatalogColumn): TargetColumn {
  const isOwnOperator = column.typeSchema !== "pg_catalog" && column.typeKind === "b";
  return {
    quoted: quoteIdentifier(column.name),
    isKey: column.isKey,
    typeName: `${quoteIdentifier(column.typeSchema)}.${quoteIdentifier(column.typeName)}`,
    isThroughText: column.category === "A" || column.typeKind === "c" || column.typeKind === "d",
    equals: isOwnOperator ? `operator(${quoteIdentifier(column.typeSchema)}.=)` : "=",
  };
}

/** The columns that a row carries and that are not its key. */
export function settableColumns(plan: TablePlan, row: Row): readonly number[] {
  return plan.columns.flatMap((column, index) => (column.isKey || row[index] === NOT_CARRIED ? [] : [index]));
}

/** One text for each definition of a table, to remember its plan by. */
export function definitionKey(table: Table): string {
  return JSON.stringify([table.schema, table.name, table.columns]);
}

import { NOT_CARRIED, ReplicationError, tableLabel, type Column, type Row, type Table } from "@lockstep/core";
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
  /** Arrays and composites: `unnest` would take them apart, so they travel as text. */
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
  /** Of a key column: the operator by which its index compares. */
  readonly equals: string | null;
  readonly isKeyDeferrable: boolean;
  readonly isGenerated: boolean;
  readonly isIdentityAlways: boolean;
  readonly relationKind: string;
}

/** `BTEqualStrategyNumber`. */
const BTREE_EQUAL = 3;

/** Columns that a key merely includes are not part of it. */
const READ_COLUMNS = `
  select a.attname as "name", pg_catalog.format_type(a.atttypid, a.atttypmod) as "nativeType",
         tn.nspname as "typeSchema", t.typname as "typeName", t.typtype as "typeKind", t.typcategory as "category",
         k.equals is not null as "isKey", k.equals,
         not coalesce(i.indimmediate, true) as "isKeyDeferrable", a.attgenerated <> '' as "isGenerated",
         a.attidentity = 'a' as "isIdentityAlways", c.relkind as "relationKind"
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
    left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary and i.indisvalid
    left join lateral (
      select pg_catalog.format('operator(%I.%s)', opn.nspname, o.oprname) as equals
        from pg_catalog.unnest(i.indkey) with ordinality as key(attnum, at)
        join pg_catalog.pg_opclass oc on oc.oid = i.indclass[key.at - 1]
        join pg_catalog.pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amoplefttype = oc.opcintype
                                  and ao.amoprighttype = oc.opcintype and ao.amopstrategy = ${BTREE_EQUAL}
        join pg_catalog.pg_operator o on o.oid = ao.amopopr
        join pg_catalog.pg_namespace opn on opn.oid = o.oprnamespace
       where key.attnum = a.attnum and key.at <= i.indnkeyatts
    ) k on true
   where n.nspname = $1 and c.relname = $2
   order by a.attnum`;

/** Compares the source's table with the replica's; `schema-mismatch` names what differs and the fix. */
export async function planTable(client: Client, replica: string, table: Table): Promise<TablePlan> {
  const { rows } = await client.query<CatalogColumn>(READ_COLUMNS, [table.schema, table.name]);
  try {
    return matchTable(table, rows);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new ReplicationError(
      "schema-mismatch",
      `table ${tableLabel(table)} on replica ${replica}: ${error.message}`,
      { fix: error.fix, fields: { replica, table: tableLabel(table) } },
    );
  }
}

function matchTable(table: Table, rows: readonly CatalogColumn[]): TablePlan {
  const [first] = rows;
  if (first === undefined) throw new Mismatch("it does not exist", "create it there as it is on the primary");
  if (first.relationKind !== "r")
    throw new Mismatch("it is not an ordinary table", "make it one, or exclude it");
  if (first.isKeyDeferrable)
    throw new Mismatch("its primary key is deferrable", "make it not deferrable, as on the primary");
  // The replica generates its own; the source does not send them.
  const targets = new Map(rows.filter((row) => !row.isGenerated).map((row) => [row.name, row]));
  const columns = table.columns.map((column) => {
    const target = targets.get(column.name);
    targets.delete(column.name);
    return matchColumn(table, column, target);
  });
  const [surplus] = targets.keys();
  if (surplus !== undefined)
    throw new Mismatch(`column ${surplus} is not on the primary`, "drop it there, or add it to the primary");
  const keyColumns = columns.flatMap((column, index) => (column.isKey ? [index] : []));
  return { table, quoted: quoteTable(table), columns, keyColumns };
}

function matchColumn(table: Table, column: Column, target: CatalogColumn | undefined): TargetColumn {
  const { name, nativeType } = column;
  const alter = `run there: alter table ${quoteTable(table)}`;
  const quoted = quoteIdentifier(name);
  if (target === undefined)
    throw new Mismatch(`column ${name} is missing`, `${alter} add column ${quoted} ${nativeType}`);
  if (target.nativeType !== nativeType) {
    throw new Mismatch(
      `column ${name} is ${target.nativeType}, on the primary ${nativeType}`,
      `${alter} alter column ${quoted} type ${nativeType}`,
    );
  }
  if (target.isKey !== column.isKey)
    throw new Mismatch("its primary key is another", "give it the primary's primary key");
  if (target.isIdentityAlways && !target.isKey) {
    throw new Mismatch(
      `column ${name} is generated always as identity, so that no update can set it`,
      `${alter} alter column ${quoted} set generated by default`,
    );
  }
  return targetColumn(target);
}

function targetColumn(column: CatalogColumn): TargetColumn {
  return {
    quoted: quoteIdentifier(column.name),
    isKey: column.isKey,
    typeName: `${quoteIdentifier(column.typeSchema)}.${quoteIdentifier(column.typeName)}`,
    // A domain has its base type's category. One over an array is whole to `unnest`, and cast from text it would
    // be cut to its length in silence (V1).
    isThroughText: column.category === "C" || (column.category === "A" && column.typeKind !== "d"),
    equals: column.equals ?? "=",
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

/** What differs, and what to do about it. */
class Mismatch extends Error {
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(what);
    this.fix = fix;
  }
}

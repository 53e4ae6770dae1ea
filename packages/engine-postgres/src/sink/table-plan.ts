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
  /** How two values of it are compared for equality, once both are cast by `comparedAs`, which may be empty. */
  readonly equals: string;
  readonly comparedAs: string;
  /** Generated always as identity: an INSERT can set it, an UPDATE cannot. */
  readonly isAlwaysIdentity: boolean;
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

interface CatalogColumn {
  readonly name: string;
  readonly nativeType: string;
  readonly typeSchema: string;
  readonly typeName: string;
  readonly typeKind: string;
  readonly category: string;
  /** Of a column of the key: the operator by which its index compares. */
  readonly equals: string | null;
  /** The enum under a domain: no operator takes the domain itself. */
  readonly comparedAs: string | null;
  /** There is a unique index on just the key's columns. */
  readonly hasIndex: boolean;
  /** Its primary key is on the key's columns, but deferrable. */
  readonly isKeyDeferrable: boolean;
  readonly isGenerated: boolean;
  readonly isAlwaysIdentity: boolean;
  /** A row that does not name it cannot be inserted. */
  readonly isRequired: boolean;
  readonly relationKind: string;
}

/** `BTEqualStrategyNumber`. */
const BTREE_EQUAL = 3;

/** `$3`: the key's columns, in the order of their names. Columns that an index merely includes are not part of it. */
const READ_COLUMNS = `
  with indexes as (
    select x.*, (select pg_catalog.array_agg(ka.attname::pg_catalog.text order by ka.attname::pg_catalog.text collate pg_catalog."C")
                   from pg_catalog.unnest(x.indkey) with ordinality as key(attnum, at)
                   join pg_catalog.pg_attribute ka on ka.attrelid = x.indrelid and ka.attnum = key.attnum
                  where key.at <= x.indnkeyatts) as columns
      from pg_catalog.pg_index x
     where x.indisunique and x.indisvalid and x.indpred is null and x.indexprs is null)
  select a.attname as "name", pg_catalog.format_type(a.atttypid, a.atttypmod) as "nativeType",
         tn.nspname as "typeSchema", t.typname as "typeName", t.typtype as "typeKind", t.typcategory as "category",
         k.equals, i.indexrelid is not null as "hasIndex",
         (with recursive base (oid) as (
            select t.oid union all
            select d.typbasetype from base join pg_catalog.pg_type d on d.oid = base.oid where d.typtype = 'd')
          select pg_catalog.format('::%I.%I', bn.nspname, b.typname)
            from base join pg_catalog.pg_type b on b.oid = base.oid
            join pg_catalog.pg_namespace bn on bn.oid = b.typnamespace
           where t.typtype = 'd' and b.typtype = 'e') as "comparedAs",
         exists (select from indexes d where d.indrelid = c.oid and d.indisprimary and not d.indimmediate
                    and d.columns = $3) as "isKeyDeferrable",
         a.attgenerated <> '' as "isGenerated", a.attidentity = 'a' as "isAlwaysIdentity",
         a.attnotnull and not a.atthasdef and a.attidentity = '' as "isRequired", c.relkind as "relationKind"
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
    left join lateral (
      select * from indexes where indexes.indrelid = c.oid and indexes.indimmediate and indexes.columns = $3
       order by indexes.indisprimary desc, indexes.indexrelid limit 1) i on true
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
  const key = table.columns.filter((column) => column.isKey).map((column) => column.name);
  const { rows } = await client.query<CatalogColumn>(READ_COLUMNS, [
    table.schema,
    table.name,
    key.sort(byCode),
  ]);
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
  if (first.relationKind !== "r" && first.relationKind !== "p")
    throw new Mismatch("it is not a table", "make it one, or exclude it");
  // The replica generates its own; the source does not send them.
  const targets = new Map(rows.filter((row) => !row.isGenerated).map((row) => [row.name, row]));
  const columns = table.columns.map((column) => {
    const target = targets.get(column.name);
    targets.delete(column.name);
    const surplus = rows.filter(({ name }) => table.columns.every((other) => other.name !== name));
    return matchColumn(table, { column, target, surplus });
  });
  for (const surplus of targets.values()) {
    if (!surplus.isRequired) continue;
    throw new Mismatch(
      `column ${surplus.name} is not on the primary, and every row needs a value for it`,
      `run there: alter table ${quoteTable(table)} alter column ${quoteIdentifier(surplus.name)} set default …`,
    );
  }
  const keyColumns = table.columns.flatMap((column, index) => (column.isKey ? [index] : []));
  if (keyColumns.length > 0 && !first.hasIndex) throw noKey(first, columns, keyColumns);
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

interface MatchedColumn {
  readonly column: Column;
  readonly target: CatalogColumn | undefined;
  /** Columns of the replica's table that the primary's does not have. */
  readonly surplus: readonly CatalogColumn[];
}

function matchColumn(table: Table, { column, target, surplus }: MatchedColumn): TargetColumn {
  const { name, nativeType } = column;
  const alter = `run there: alter table ${quoteTable(table)}`;
  const quoted = quoteIdentifier(name);
  if (target === undefined) {
    const add = `${alter} add column ${quoted} ${nativeType}, with the default that it was added with on the primary, if any: rows that are there already have it`;
    // Added where it was renamed, rows that are there would lose what they have, in silence.
    const renamed = surplus.find((other) => other.nativeType === nativeType) ?? surplus[0];
    const fix =
      renamed === undefined
        ? add
        : `if it was renamed on the primary, ${alter} rename column ${quoteIdentifier(renamed.name)} to ${quoted}; only if it is new, ${add}`;
    throw new Mismatch(`column ${name} is missing`, fix);
  }
  if (target.nativeType !== nativeType) {
    throw new Mismatch(
      `column ${name} is ${target.nativeType}, on the primary ${nativeType}`,
      `${alter} alter column ${quoted} type ${nativeType}`,
    );
  }
  return targetColumn(column, target);
}

function targetColumn({ isKey }: Column, target: CatalogColumn): TargetColumn {
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
  };
}

/** The order in which the catalog's query has names: by their bytes. */
function byCode(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
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

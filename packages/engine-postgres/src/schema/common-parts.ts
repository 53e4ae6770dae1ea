import { tableKey, type CommonForeignKey, type CommonIndex, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { GIVEN } from "./common-columns.ts";

/** Of the columns with these numbers of the table `oid`, in their order; one that is generated does not arrive. */
function namesOf(numbers: string, oid: string, through: string): string {
  return `
    (select coalesce(json_agg(ka.attname order by key.at), '[]')
       from unnest(${numbers}) with ordinality as key(attnum, at)
       join pg_catalog.pg_attribute ka on ka.attrelid = ${oid} and ka.attnum = key.attnum and ka.attgenerated = ''
      where key.at <= ${through})`;
}

/** As `namesOf`, of those whose highest values come first (`INDOPTION_DESC`). */
const DESCENDING = `
    (select coalesce(json_agg(ka.attname order by key.at), '[]')
       from unnest(i.indkey, i.indoption) with ordinality as key(attnum, options, at)
       join pg_catalog.pg_attribute ka on ka.attrelid = g.oid and ka.attnum = key.attnum and ka.attgenerated = ''
      where key.at <= i.indnkeyatts and key.options & 1 = 1)`;

/**
 * Only what says no more than its columns: where its NULLs come, and columns that it merely includes, change nothing but
 * how quick it is. An operator class or collation of its own may have another equality.
 */
const IS_PLAIN = `
  i.indpred is null and i.indexprs is null and i.indimmediate and not i.indisexclusion and am.amname in ('btree', 'hash')
  and not coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
  and not exists (select from unnest(i.indclass) k(oid) join pg_catalog.pg_opclass o on o.oid = k.oid where not o.opcdefault)
  and not exists (select from unnest(i.indcollation) k(oid) join pg_catalog.pg_collation l on l.oid = k.oid
                   where not l.collisdeterministic)
  and not exists (select from unnest(i.indkey) with ordinality k(attnum, at)
                    join pg_catalog.pg_attribute ka on ka.attrelid = g.oid and ka.attnum = k.attnum
                   where k.at <= i.indnkeyatts and ka.attgenerated <> '')`;

/** An index that could not be built is none; that of a partitioned table is when a partition lacks its part. */
const READ_INDEXES = `
  with ${GIVEN}
  select g.nspname as "schema", g.relname as "table", x.relname as "name", i.indisprimary as "isPrimary",
         i.indisunique as "isUnique", ${IS_PLAIN} as "isPlain",
         ${namesOf("i.indkey", "g.oid", "i.indnkeyatts")} as "columns",
         ${DESCENDING} as "descending",
         coalesce('constraint ' || quote_ident(con.conname) || ' ' || pg_get_constraintdef(con.oid),
                  pg_get_indexdef(x.oid)) as "words"
    from given g
    join pg_catalog.pg_index i on i.indrelid = g.oid
    join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_am am on am.oid = x.relam
    left join pg_catalog.pg_constraint con on con.conindid = x.oid and con.conrelid = g.oid and con.contype in ('p', 'u', 'x')
   where (i.indisvalid or x.relkind = 'I') and i.indislive
   order by g.oid, x.relname`;

interface IndexRow {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly isPrimary: boolean;
  readonly isUnique: boolean;
  readonly isPlain: boolean;
  readonly columns: readonly string[];
  readonly descending: readonly string[];
  readonly words: string;
}

function action(column: string): string {
  return `
    case ${column} when 'r' then 'restrict' when 'c' then 'cascade' when 'n' then 'set null' when 'd' then 'set default'
                   else 'no action' end`;
}

const READ_FOREIGN_KEYS = `
  with ${GIVEN}
  select g.nspname as "schema", g.relname as "table", con.conname as "name", pg_get_constraintdef(con.oid) as "words",
         ${namesOf("con.conkey", "g.oid", "32767")} as "columns",
         json_build_object('schema', rn.nspname, 'name', r.relname) as "references",
         ${namesOf("con.confkey", "r.oid", "32767")} as "referencedColumns",
         ${action("con.confdeltype")} as "onDelete", ${action("con.confupdtype")} as "onUpdate",
         con.convalidated and con.confmatchtype = 's'
           and to_jsonb(con) ->> 'confdelsetcols' is null and not coalesce((to_jsonb(con) ->> 'conperiod')::boolean, false)
           and coalesce((to_jsonb(con) ->> 'conenforced')::boolean, true)
           and not exists (select from pg_catalog.pg_attribute ka
                            where ka.attgenerated <> '' and (ka.attrelid = g.oid and ka.attnum = any (con.conkey)
                                                             or ka.attrelid = r.oid and ka.attnum = any (con.confkey)))
           as "isPlain",
         con.condeferrable as "isDeferrable"
    from given g
    join pg_catalog.pg_constraint con on con.conrelid = g.oid and con.contype = 'f' and con.conparentid = 0
    join pg_catalog.pg_class r on r.oid = con.confrelid
    join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
   order by g.oid, con.conname`;

interface ForeignKeyRow extends CommonForeignKey {
  readonly schema: string;
  readonly table: string;
  readonly words: string;
  readonly isPlain: boolean;
  readonly isDeferrable: boolean;
}

const READ_OTHERS = `
  with ${GIVEN}
  select g.nspname as "schema", g.relname as "table", words
    from given g, lateral (
      select 'constraint ' || quote_ident(con.conname) || ' ' || pg_get_constraintdef(con.oid) as words
        from pg_catalog.pg_constraint con where con.conrelid = g.oid and con.contype = 'c'
       union all
      select 'partition by ' || pg_get_partkeydef(g.oid) where g.relkind = 'p'
       union all
      select 'inherits ' || format('%I.%I', pn.nspname, p.relname)
        from pg_catalog.pg_inherits h join pg_catalog.pg_class p on p.oid = h.inhparent
        join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
       where h.inhrelid = g.oid and not g.relispartition) other
   order by g.oid, words`;

/** What a table has beside its columns, in common words. */
export interface CommonParts {
  primaryKey: readonly string[] | null;
  readonly uniques: CommonIndex[];
  readonly indexes: CommonIndex[];
  readonly foreignKeys: CommonForeignKey[];
  readonly leftOut: string[];
}

/** By `tableKey`. */
export async function readCommonParts(
  client: Client,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, CommonParts>> {
  const names = [tables.map(({ schema }) => schema), tables.map(({ name }) => name)];
  const found = new Map<string, CommonParts>(
    tables.map((table) => [
      tableKey(table),
      { primaryKey: null, uniques: [], indexes: [], foreignKeys: [], leftOut: [] },
    ]),
  );
  const of = ({ schema, table }: { readonly schema: string; readonly table: string }): CommonParts =>
    found.get(tableKey({ schema, name: table })) ?? {
      primaryKey: null,
      uniques: [],
      indexes: [],
      foreignKeys: [],
      leftOut: [],
    };
  for (const row of (await client.query<IndexRow>(READ_INDEXES, names)).rows) addIndex(row, of(row));
  for (const row of (await client.query<ForeignKeyRow>(READ_FOREIGN_KEYS, names)).rows)
    addForeignKey(row, of(row));
  const others = await client.query<{ schema: string; table: string; words: string }>(READ_OTHERS, names);
  for (const row of others.rows) of(row).leftOut.push(row.words);
  return found;
}

function addIndex(
  { name, columns, descending, isPrimary, isUnique, isPlain, words }: IndexRow,
  parts: CommonParts,
): void {
  if (!isPlain) parts.leftOut.push(words);
  else if (isPrimary) parts.primaryKey = columns;
  else (isUnique ? parts.uniques : parts.indexes).push({ name, columns, descending });
}

function addForeignKey(row: ForeignKeyRow, parts: CommonParts): void {
  const { name, columns, references, referencedColumns, onDelete, onUpdate, words } = row;
  if (!row.isPlain) {
    parts.leftOut.push(`constraint ${name} ${words}`);
    return;
  }
  if (row.isDeferrable) parts.leftOut.push(`constraint ${name}: deferrable`);
  parts.foreignKeys.push({ name, columns, references, referencedColumns, onDelete, onUpdate });
}

import type { Client } from "pg";
import type { ColumnDefinition, ColumnValue } from "./definition.ts";
import { SEQUENCE_OPTIONS } from "./object-statements.ts";

const IDENTITY_OPTIONS = `
  (select format('sequence name %I.%I %s', sn.nspname, sc.relname, ${SEQUENCE_OPTIONS})
     from pg_catalog.pg_depend sd join pg_catalog.pg_sequence s on s.seqrelid = sd.objid
     join pg_catalog.pg_class sc on sc.oid = s.seqrelid
     join pg_catalog.pg_namespace sn on sn.oid = sc.relnamespace
    where sd.classid = 'pg_catalog.pg_class'::regclass and sd.refclassid = sd.classid and sd.refobjid = c.oid
      and sd.refobjsubid = a.attnum and sd.deptype = 'i')`;

/**
 * Not-null constraints are in the catalog from PostgreSQL 18 on. A partition has its identity from the table
 * above it.
 */
const READ_COLUMNS = `
  select c.oid::text as "table", a.attname as "name", format_type(a.atttypid, a.atttypmod) as "type",
         (select format('%I.%I', ln.nspname, l.collname)
            from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
           where l.oid = a.attcollation and a.attcollation <> t.typcollation) as "collation",
         a.attnotnull and coalesce(nn.convalidated, true) as "isNotNull",
         case when nn.convalidated
              then json_build_object('name', nn.conname, 'isNoInherit', nn.connoinherit, 'isLocal', nn.conislocal) end as "notNull",
         pg_get_expr(d.adbin, d.adrelid) as "expression", a.attgenerated = 's' as "isStored",
         a.attgenerated = 'v' as "isVirtual", a.attidentity = 'a' as "isAlways",
         case when a.attidentity <> '' and not c.relispartition then ${IDENTITY_OPTIONS} end as "identityOptions",
         case when a.attstorage <> t.typstorage
              then case a.attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main'
                                     else 'extended' end end as "storage",
         case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end as "compression",
         a.attislocal as "isLocal"
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    left join pg_catalog.pg_constraint nn on nn.conrelid = c.oid and nn.contype = 'n' and nn.conkey = array[a.attnum]
   where c.oid = any ($1)
   order by c.oid, a.attnum`;

interface ColumnRow extends Omit<ColumnDefinition, "value"> {
  readonly table: string;
  readonly expression: string | null;
  readonly isStored: boolean;
  readonly isVirtual: boolean;
  readonly isAlways: boolean;
  readonly identityOptions: string | null;
}

/** By the oid of the table, in the order of the table. */
export async function readColumns(
  client: Client,
  oids: readonly string[],
): Promise<ReadonlyMap<string, readonly ColumnDefinition[]>> {
  const { rows } = await client.query<ColumnRow>(READ_COLUMNS, [oids]);
  const columns = new Map<string, ColumnDefinition[]>(oids.map((oid) => [oid, []]));
  for (const row of rows) columns.get(row.table)?.push(columnOf(row));
  return columns;
}

function columnOf(row: ColumnRow): ColumnDefinition {
  const { name, type, collation, isNotNull, notNull, storage, compression, isLocal } = row;
  return { name, type, collation, isNotNull, notNull, value: valueOf(row), storage, compression, isLocal };
}

function valueOf({ expression, isStored, isVirtual, isAlways, identityOptions }: ColumnRow): ColumnValue {
  if (identityOptions !== null) return { kind: "identity", isAlways, options: identityOptions };
  if (expression === null) return { kind: "null" };
  if (isStored) return { kind: "stored", expression };
  return { kind: isVirtual ? "virtual" : "default", expression };
}

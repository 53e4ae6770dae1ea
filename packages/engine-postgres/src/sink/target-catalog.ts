import type { Table } from "@lockstep/core";
import type { Client } from "pg";
import type { TakenType } from "../schema/exact-values.ts";

/** A column of a replica's table. */
export interface CatalogColumn extends TakenType {
  readonly name: string;
  readonly category: string;
  /** Of a column of the key: the operator by which its index compares. */
  readonly equals: string | null;
  /** The enum under a domain: no operator takes the domain itself. */
  readonly comparedAs: string | null;
  /** There is a unique index on just the key's columns. */
  readonly hasIndex: boolean;
  /** Its primary key is on the key's columns, but deferrable. */
  readonly isKeyDeferrable: boolean;
  /** Of an enum; else null. */
  readonly labels: readonly string[] | null;
  /** One by which texts of other bytes may be equal; else null. */
  readonly collation: string | null;
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
         case when t.typtype = 'e' then array(select enumlabel::pg_catalog.text from pg_catalog.pg_enum
                                               where enumtypid = t.oid order by enumsortorder) end as "labels",
         (select pg_catalog.format('%I.%I', ln.nspname, l.collname)
            from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
           where l.oid = a.attcollation and not l.collisdeterministic) as "collation",
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

/** The columns of the replica's table; none where there is no such table. */
export async function readTarget(client: Client, { schema, name, columns }: Table): Promise<CatalogColumn[]> {
  const key = columns.filter((column) => column.isKey).map((column) => column.name);
  return (await client.query<CatalogColumn>(READ_COLUMNS, [schema, name, key.sort(byCode)])).rows;
}

/** The order in which the catalog's query has names: by their bytes. */
function byCode(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

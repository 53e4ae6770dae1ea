import type { Client } from "pg";
import type { SchemaObject } from "./definition.ts";
import type { ObjectKey } from "./dependencies.ts";
import { CREATE_OBJECTS } from "./object-statements.ts";

/**
 * `$1`, `$2`: catalogs and oids. Left out is what comes with something else: with an extension, a table (its row
 * type), a type (its arrays, a range's multirange).
 */
const READ_OBJECTS = `
  with creation as (${CREATE_OBJECTS})
  select o.classid || ':' || o.objid as "key", a.type as "kind", a.object_names as "names",
         a.object_args as "arguments", i.type || ' ' || i.identity as "label",
         coalesce(array_remove(c.statements, null), '{}') as "create"
    from unnest($1::oid[], $2::oid[]) as o (classid, objid)
   cross join lateral pg_identify_object_as_address(o.classid, o.objid, 0) a
   cross join lateral pg_identify_object(o.classid, o.objid, 0) i
    left join creation c on c.classid = o.classid and c.oid = o.objid
   where o.classid in ('pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_extension'::regclass,
                       'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass,
                       'pg_catalog.pg_collation'::regclass, 'pg_catalog.pg_class'::regclass,
                       'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_opclass'::regclass,
                       'pg_catalog.pg_ts_config'::regclass, 'pg_catalog.pg_ts_dict'::regclass,
                       'pg_catalog.pg_ts_template'::regclass, 'pg_catalog.pg_ts_parser'::regclass,
                       'pg_catalog.pg_language'::regclass, 'pg_catalog.pg_am'::regclass)
     and not exists (select from pg_catalog.pg_depend d
                      where d.classid = o.classid and d.objid = o.objid and d.deptype = 'e')
     and (o.classid <> 'pg_catalog.pg_class'::regclass
          or exists (select from pg_catalog.pg_class s where s.oid = o.objid and s.relkind = 'S'))
     and (o.classid <> 'pg_catalog.pg_type'::regclass
          or exists (select from pg_catalog.pg_type t
                      where t.oid = o.objid and t.typtype <> 'm'
                        and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid)
                        and not exists (select from pg_catalog.pg_class r
                                         where r.oid = t.typrelid and r.relkind <> 'c')))`;

type ObjectRow = Omit<SchemaObject, "order"> & { readonly key: ObjectKey };

/** Those of the keys that are objects of their own, in the order of the keys, which is also their `order`. */
export async function readObjects(
  client: Client,
  keys: readonly ObjectKey[],
): Promise<ReadonlyMap<ObjectKey, SchemaObject>> {
  const pairs = keys.map((key) => key.split(":"));
  const { rows } = await client.query<ObjectRow>(READ_OBJECTS, [
    pairs.map(([catalog]) => catalog),
    pairs.map(([, oid]) => oid),
  ]);
  const found = new Map(rows.map((row) => [row.key, row]));
  return new Map(
    keys.flatMap((key, order) => {
      const row = found.get(key);
      if (row === undefined) return [];
      const { kind, names, arguments: args, label, create } = row;
      return [[key, { kind, names, arguments: args, label, order, create }]];
    }),
  );
}

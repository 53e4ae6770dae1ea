import type { TableName } from "@lockstep/core";
import type { Client } from "pg";
import type { OwnedSequence, TableDefinition } from "./definition.ts";
import { CREATE_SEQUENCE } from "./object-statements.ts";

/** What every version from 14 on knows of `with (…)`. */
const OPTIONS = "'fillfactor', 'parallel_workers', 'toast_tuple_target'";

const PARENTS = `
  (select json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) order by h.inhseqno)
     from pg_catalog.pg_inherits h join pg_catalog.pg_class p on p.oid = h.inhparent
     join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
    where h.inhrelid = t.oid having bool_and(p.oid = any ($1)))`;

const SEQUENCES = `
  (select json_agg(json_build_object('schema', n.nspname, 'name', c.relname, 'column', a.attname,
                                     'create', ${CREATE_SEQUENCE}) order by a.attnum, n.nspname, c.relname)
     from pg_catalog.pg_depend d join pg_catalog.pg_sequence s on s.seqrelid = d.objid
     join pg_catalog.pg_class c on c.oid = s.seqrelid
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = d.classid and d.refobjid = t.oid
      and d.deptype = 'a')`;

/** `$1`: oids of the tables that are read. A partition whose table above is not among them is a table. */
const READ_TABLES = `
  select t.oid::text as "oid", tn.nspname as "schema", t.relname as "name",
         case t.relreplident when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full' end as "identity",
         (select x.relname from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
           where i.indrelid = t.oid and i.indisreplident and t.relreplident = 'i') as "identityIndex",
         pg_get_expr(t.relpartbound, t.oid) as "bound", pg_get_partkeydef(t.oid) as "partitionKey",
         coalesce(${PARENTS}, '[]') as "parents", coalesce(${SEQUENCES}, '[]') as "sequences",
         array(select option from unnest(t.reloptions) option where split_part(option, '=', 1) in (${OPTIONS})) as "options"
    from pg_catalog.pg_class t join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
   where t.oid = any ($1)`;

interface Row extends TableName {
  readonly oid: string;
  readonly identity: "default" | "nothing" | "full" | null;
  readonly identityIndex: string | null;
  readonly bound: string | null;
  readonly partitionKey: string | null;
  readonly parents: readonly TableName[];
  readonly sequences: readonly OwnedSequence[];
  readonly options: readonly string[];
}

export type TableShape = Pick<
  TableDefinition,
  "schema" | "name" | "parents" | "partitionKey" | "options" | "sequences" | "replicaIdentity"
> & {
  readonly partitionOf: { readonly parent: TableName; readonly bound: string } | null;
};

/** By oid. */
export async function readTables(
  client: Client,
  oids: readonly string[],
): Promise<ReadonlyMap<string, TableShape>> {
  const { rows } = await client.query<Row>(READ_TABLES, [oids]);
  return new Map(rows.map((row) => [row.oid, shapeOf(row)]));
}

function shapeOf(row: Row): TableShape {
  const { schema, name, partitionKey, options, sequences, identity, identityIndex, bound } = row;
  const [parent] = row.parents;
  const isPartition = bound !== null && parent !== undefined;
  return {
    schema,
    name,
    partitionOf: isPartition ? { parent, bound } : null,
    partitionKey,
    parents: isPartition ? [] : row.parents,
    options,
    sequences,
    replicaIdentity: identity ?? (identityIndex === null ? "default" : { index: identityIndex }),
  };
}

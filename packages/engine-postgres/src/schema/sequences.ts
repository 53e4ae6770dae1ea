import { ReplicationError, tableLabel, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteLiteral, quoteTable, sqlStateOf, toReplicationError } from "../connection.ts";
import { partitionTree } from "./partition-tree.ts";

/** Where a sequence stands; its numbers are text, since they are 64 bits wide. */
export interface SequenceValue extends TableName {
  /** The column that owns it: there the sequence may have another name on the replica. */
  readonly owner: { readonly table: TableName; readonly column: string } | null;
  readonly lastValue: string;
  /** Else `lastValue` is still to be given out. */
  readonly isCalled: boolean;
}

/** Of the tables and their partitions: what their columns own, and what their defaults take from. */
const READ_SEQUENCES = `
  with given as (
    select c.oid from unnest($1::text[], $2::text[]) as g (schema, name)
      join pg_catalog.pg_namespace n on n.nspname = g.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name),
  member as (
    select oid from given union select t.relid from given, lateral ${partitionTree("given.oid")} t),
  used as (
    select d.objid as oid from pg_catalog.pg_depend d join member m on m.oid = d.refobjid
     where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = d.classid and d.deptype in ('a', 'i')
     union
    select d.refobjid from pg_catalog.pg_attrdef f join member m on m.oid = f.adrelid
      join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = f.oid
     where d.refclassid = 'pg_catalog.pg_class'::regclass)
  select n.nspname as "schema", c.relname as "name",
         case when t.oid is not null then json_build_object(
           'table', json_build_object('schema', tn.nspname, 'name', t.relname), 'column', a.attname) end as "owner"
    from used join pg_catalog.pg_class c on c.oid = used.oid and c.relkind = 'S'
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
         and d.refclassid = d.classid and d.deptype in ('a', 'i')
    left join pg_catalog.pg_class t on t.oid = d.refobjid
    left join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    left join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
   order by 1, 2`;

/**
 * The sequences that columns of `tables` own or take their defaults from (serial, identity, `nextval`), as they
 * stand now: what the server gives out meanwhile is not in it, whatever transaction this runs in.
 */
export async function readSequences(
  client: Client,
  tables: readonly TableName[],
): Promise<readonly SequenceValue[]> {
  const { rows } = await client.query<Pick<SequenceValue, "schema" | "name" | "owner">>(READ_SEQUENCES, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  const values: SequenceValue[] = [];
  for (const row of rows) values.push(...(await readValue(client, row)));
  return values;
}

async function readValue(
  client: Client,
  sequence: Pick<SequenceValue, "schema" | "name" | "owner">,
): Promise<SequenceValue[]> {
  const text = `select last_value::text as "lastValue", is_called as "isCalled" from ${quoteTable(sequence)}`;
  try {
    const { rows } = await client.query<Pick<SequenceValue, "lastValue" | "isCalled">>(text);
    return rows.map((value) => ({ ...sequence, ...value }));
  } catch (error) {
    throw toReplicationError(error, `sequence ${tableLabel(sequence)} of the primary`);
  }
}

/** By the column that owns it, else by its name; `$1`, `$2`: its name; `$3`, `$4`, `$5`: its owner's. */
const SET_VALUE = `
  select setval(s.oid::regclass, $6::bigint, $7::boolean)
    from (select coalesce(
            (select q.oid from pg_catalog.pg_class t join pg_catalog.pg_namespace n on n.oid = t.relnamespace
               join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attname = $5
               join pg_catalog.pg_depend d on d.refobjid = t.oid and d.refobjsubid = a.attnum and d.deptype in ('a', 'i')
                    and d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = d.classid
               join pg_catalog.pg_class q on q.oid = d.objid and q.relkind = 'S'
              where n.nspname = $3 and t.relname = $4 order by q.relname <> $2, q.oid limit 1),
            (select q.oid from pg_catalog.pg_class q join pg_catalog.pg_namespace n on n.oid = q.relnamespace
              where n.nspname = $1 and q.relname = $2 and q.relkind = 'S')) as oid) s
   where s.oid is not null`;

/** Sets the replica's sequences; one that it does not have is left out. */
export async function setSequences(client: Client, values: readonly SequenceValue[]): Promise<void> {
  for (const { schema, name, owner, lastValue, isCalled } of values) {
    const what = `sequence ${tableLabel({ schema, name })}`;
    const { table, column } = owner ?? { table: null, column: null };
    try {
      await client.query(SET_VALUE, [schema, name, table?.schema, table?.name, column, lastValue, isCalled]);
    } catch (error) {
      throw refused(error, what, lastValue);
    }
  }
}

/** A column that a sequence fills. */
export interface NumberedColumn {
  readonly table: TableName;
  readonly column: string;
}

/** Lets the columns' sequences go on after the highest number that is there. */
export async function continueNumbers(client: Client, columns: readonly NumberedColumn[]): Promise<void> {
  for (const { table, column } of columns) {
    const what = `the sequence of column ${column} of table ${tableLabel(table)}`;
    const own = `pg_catalog.pg_get_serial_sequence(${quoteLiteral(quoteTable(table))}, ${quoteLiteral(column)})`;
    try {
      await client.query(
        `select pg_catalog.setval(s.seqrelid::pg_catalog.regclass, greatest(least(t.highest, s.seqmax), 1)::pg_catalog.int8,
                                  coalesce(t.highest >= 1, false))
           from pg_catalog.pg_sequence s, (select max(${quoteIdentifier(column)}) as highest from ${quoteTable(table)}) t
          where s.seqrelid = ${own}::pg_catalog.regclass`,
      );
    } catch (error) {
      throw refused(error, what, "the highest number");
    }
  }
}

function refused(error: unknown, what: string, value: string): unknown {
  const known = toReplicationError(error, what);
  if (known instanceof ReplicationError || !(error instanceof Error) || sqlStateOf(error) === null)
    return known;
  return new ReplicationError(
    "schema-mismatch",
    `${what} on the replica cannot be set to ${value}: ${error.message}`,
    {
      cause: error,
      fix: "give it the bounds that it has on the primary",
      fields: { object: what },
    },
  );
}

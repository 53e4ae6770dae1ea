import {
  matchesTable,
  tableLabel,
  type Refusal,
  type RefusedTable,
  type SourceTable,
  type TableFilter,
  type TableName,
} from "@lockstep/core";
import type { Client } from "pg";
import { quoteLiteral, quoteTable } from "../connection.ts";
import { readFullIdentityKeys } from "./full-identity.ts";
import {
  COLUMN_TYPE_COLUMNS,
  columnTypeKey,
  columnTypeOf,
  type ColumnType,
  type ColumnTypeRow,
  type SourceCatalog,
} from "../values.ts";
import { partitionTree } from "./partition-tree.ts";

interface TableRow extends TableName {
  readonly identity: string;
  readonly persistence: string;
  /** Of a partition: the topmost table above it. */
  readonly root: TableName | null;
  /** `pg_class.relreplident` */
  readonly replicaIdentity: string;
  readonly isPartitioned: boolean;
  readonly hasKey: boolean;
  /** A deferrable key is no replica identity: the server would refuse updates of a published table (H1). */
  readonly isKeyDeferrable: boolean;
  /** The same, since publications leave generated columns out. */
  readonly isKeyGenerated: boolean;
  /** A partition somewhere below that is unlogged, or whose replica identity is not the table's own. */
  readonly strayPartition: string | null;
  /** PostgreSQL 18 refuses updates where the whole row is the identity and holds what is not published. */
  readonly isFullGenerated: boolean;
}

/**
 * Ordinary and partitioned tables, of every schema that is neither the server's nor ours. The key is the index
 * that is the replica identity, or the primary key.
 */
const LIST_TABLES = `
  select n.nspname as "schema", c.relname as "name", c.oid::text as "identity", c.relpersistence as "persistence",
         c.relreplident as "replicaIdentity",
         c.relkind = 'p' as "isPartitioned",
         case when c.relispartition then pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname) end as "root",
         coalesce(i.indisvalid, false) as "hasKey", not coalesce(i.indimmediate, true) as "isKeyDeferrable",
         exists (select from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and a.attnum = any (i.indkey) and a.attgenerated <> '') as "isKeyGenerated",
         (select pg_catalog.format('%s.%s', ln.nspname, l.relname) from ${partitionTree("c.oid")} leaf
            join pg_catalog.pg_class l on l.oid = leaf.relid
            join pg_catalog.pg_namespace ln on ln.oid = l.relnamespace
           where leaf.isleaf and c.relkind = 'p'
             and (l.relreplident <> c.relreplident or l.relpersistence <> 'p') limit 1) as "strayPartition",
         c.relreplident = 'f' and current_setting('server_version_num')::int >= 180000
           and exists (select from pg_catalog.pg_attribute g
                        where g.attgenerated <> '' and not g.attisdropped
                          and (g.attrelid = c.oid or g.attrelid in (select relid from ${partitionTree("c.oid")} t))
                      ) as "isFullGenerated"
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indrelid = c.oid
              and case c.relreplident when 'i' then i.indisreplident else i.indisprimary end
    left join pg_catalog.pg_class r on c.relispartition and r.oid = pg_catalog.pg_partition_root(c.oid)
    left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
   where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname <> 'lockstep'
     and n.nspname !~ '^pg_'
   order by 1, 2`;

export interface ListedTables {
  readonly tables: readonly SourceTable[];
  readonly refused: readonly RefusedTable[];
  /** Those that the filter does not name. */
  readonly others: readonly TableName[];
}

/**
 * The tables of the connected database that the filter names, and those of them that cannot be followed; a
 * partitioned table stands for its partitions.
 */
export async function listTables(client: Client, filter: TableFilter): Promise<ListedTables> {
  const { rows } = await client.query<TableRow>(LIST_TABLES);
  const tables: SourceTable[] = [];
  const refused: RefusedTable[] = [];
  const others: TableName[] = [];
  for (const row of rows) {
    if (row.root !== null && matchesTable(filter, row.root)) continue;
    const table = { schema: row.schema, name: row.name, identity: row.identity };
    if (!matchesTable(filter, row)) {
      if (row.root === null) others.push({ schema: row.schema, name: row.name });
      continue;
    }
    const refusal = whyNotSupported(row);
    if (refusal === null) tables.push(table);
    else refused.push({ table, ...refusal });
  }
  return { tables, refused, others };
}

/** H1: the server refuses updates of a published table whose old rows it could not name. */
function whyNotSupported(row: TableRow): Refusal | null {
  const alter = `alter table ${quoteTable(row)}`;
  const asDefault = `${alter} replica identity default`;
  if (row.root !== null) return { reason: `is a partition of ${tableLabel(row.root)}: include that one` };
  if (row.persistence !== "p") {
    const reason = "is unlogged, so that the primary does not log its changes";
    return { reason, ...(row.isPartitioned ? {} : { sql: `${alter} set logged` }) };
  }
  if (row.replicaIdentity === "n")
    return { reason: `has replica identity nothing (${asDefault})`, sql: asDefault };
  if (row.replicaIdentity === "i" && row.isPartitioned) {
    const reason = `is partitioned and has an index as its replica identity (${asDefault})`;
    return { reason, sql: asDefault };
  }
  if (row.strayPartition !== null) {
    const reason = `has a partition, ${row.strayPartition}, that is unlogged or whose replica identity is another than its own`;
    return { reason };
  }
  if (row.isFullGenerated) {
    return {
      reason: "has replica identity full and a generated column, so that PostgreSQL refuses updates",
      ...(row.hasKey ? { sql: asDefault } : {}),
    };
  }
  return row.replicaIdentity === "f" ? null : whyNoKey(row, alter);
}

function whyNoKey({ hasKey, isKeyDeferrable, isKeyGenerated }: TableRow, alter: string): Refusal | null {
  const sql = `${alter} replica identity full`;
  if (!hasKey) {
    return { reason: `has no primary key (${alter} add primary key …; or, slower, ${sql})`, sql };
  }
  if (isKeyDeferrable)
    return { reason: "has a deferrable primary key, by which the server cannot name rows", sql };
  if (isKeyGenerated)
    return { reason: "has a generated column in its primary key, which the server does not send" };
  return null;
}

/** The first of `tables` that holds a row in the client's view of the database, or null. */
export async function firstNonEmpty(client: Client, tables: readonly TableName[]): Promise<TableName | null> {
  for (const table of tables) {
    // Without what inherits from it, but with its partitions.
    const own = `${quoteLiteral(quoteTable(table))}::pg_catalog.regclass`;
    const { rows } = await client.query(
      `select from ${quoteTable(table)} t where t.tableoid = ${own}
           or exists (select from pg_catalog.pg_class where oid = ${own} and relkind = 'p') limit 1`,
    );
    if (rows.length > 0) return table;
  }
  return null;
}

// Not of pg_publication_tables, which locks each table: a commit that has it locked may be waiting for us.
const PUBLISHED_COLUMN_TYPES = `
  select c.oid, c.modifier, ${COLUMN_TYPE_COLUMNS}
    from (select distinct a.atttypid as oid, a.atttypmod as modifier
            from pg_catalog.pg_publication p
            join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
            join pg_catalog.pg_attribute a on a.attrelid = r.prrelid and a.attnum > 0 and not a.attisdropped
           where p.pubname = $1
           union
          select * from unnest($2::pg_catalog.oid[], $3::pg_catalog.int4[])) c
    left join pg_catalog.pg_type t on t.oid = c.oid
    left join pg_catalog.pg_namespace n on n.oid = t.typnamespace`;

/** What is needed to read the stream of a publication; `also` are types that a stream named and the catalog no longer has. */
export async function readCatalog(
  client: Client,
  publication: string,
  also: readonly { readonly oid: number; readonly modifier: number }[],
): Promise<SourceCatalog> {
  const types = await readColumnTypes(client, publication, also);
  return { types, keys: await readFullIdentityKeys(client, publication) };
}

async function readColumnTypes(
  client: Client,
  publication: string,
  also: readonly { readonly oid: number; readonly modifier: number }[],
): Promise<Map<string, ColumnType>> {
  const { rows } = await client.query<ColumnTypeRow & { oid: number; modifier: number }>(
    PUBLISHED_COLUMN_TYPES,
    [publication, also.map((pair) => pair.oid), also.map((pair) => pair.modifier)],
  );
  return new Map(rows.map((row) => [columnTypeKey(row.oid, row.modifier), columnTypeOf(row)]));
}

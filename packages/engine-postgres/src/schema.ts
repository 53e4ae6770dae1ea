import { matchesTable, ReplicationError, tableLabel, type TableFilter, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteTable } from "./connection.ts";
import {
  COLUMN_TYPE_COLUMNS,
  columnTypeKey,
  columnTypeOf,
  type ColumnType,
  type ColumnTypeRow,
} from "./values.ts";

interface TableRow extends TableName {
  readonly relationKind: string;
  readonly isPartition: boolean;
  readonly persistence: string;
  readonly identity: string;
  readonly hasKey: boolean;
  /** A deferrable key is no replica identity: the server would refuse updates of a published table (H1). */
  readonly isKeyDeferrable: boolean;
  /** The same, since publications leave generated columns out. */
  readonly isKeyGenerated: boolean;
}

/** Ordinary and partitioned tables, of every schema that is neither the server's nor ours. */
const LIST_TABLES = `
  select n.nspname as "schema", c.relname as "name", c.relkind as "relationKind",
         c.relispartition as "isPartition", c.relpersistence as "persistence", c.relreplident as "identity",
         coalesce(i.indisvalid, false) as "hasKey", not coalesce(i.indimmediate, true) as "isKeyDeferrable",
         exists (select from pg_catalog.pg_attribute a
                  where a.attrelid = c.oid and a.attnum = any (i.indkey) and a.attgenerated <> '') as "isKeyGenerated"
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
   where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname <> 'lockstep'
     and n.nspname !~ '^pg_'
   order by 1, 2`;

/**
 * The tables of the connected database that the filter names. Rejects with `table-not-supported`, listing
 * every one of them that cannot be followed, and why.
 */
export async function listTables(client: Client, filter: TableFilter): Promise<readonly TableName[]> {
  const { rows } = await client.query<TableRow>(LIST_TABLES);
  const matching = rows.filter((row) => matchesTable(filter, row));
  const refused = matching.flatMap((row) => {
    const reason = whyNotSupported(row);
    return reason === null ? [] : [`${tableLabel(row)} ${reason}`];
  });
  if (refused.length > 0) {
    throw new ReplicationError(
      "table-not-supported",
      `these tables cannot be replicated: ${refused.join("; ")}`,
      {
        fix: "change them as said, or name them in tables.exclude",
        fields: { tables: refused },
      },
    );
  }
  if (matching.length === 0) {
    throw new ReplicationError(
      "setup-incomplete",
      `no table matches tables.include ${filter.include.join(", ")}`,
      {
        fix: "create the tables on the primary first, or correct the patterns",
      },
    );
  }
  return matching.map(({ schema, name }) => ({ schema, name }));
}

function whyNotSupported(row: TableRow): string | null {
  if (row.relationKind === "p" || row.isPartition) return "is partitioned, which is not supported yet";
  if (row.persistence !== "p") return "is unlogged, so that the primary does not log its changes";
  if (!row.hasKey) return `has no primary key (alter table ${quoteTable(row)} add primary key …)`;
  if (row.isKeyDeferrable) return "has a deferrable primary key, by which the server cannot name rows";
  if (row.isKeyGenerated) return "has a generated column in its primary key, which the server does not send";
  if (row.identity !== "d") {
    return `has another replica identity than its key (alter table ${quoteTable(row)} replica identity default)`;
  }
  return null;
}

/** The first of `tables` that holds a row in the client's view of the database, or null. */
export async function firstNonEmpty(client: Client, tables: readonly TableName[]): Promise<TableName | null> {
  for (const table of tables) {
    const { rows } = await client.query(`select from only ${quoteTable(table)} limit 1`);
    if (rows.length > 0) return table;
  }
  return null;
}

const PUBLISHED_COLUMN_TYPES = `
  select c.oid, c.modifier, ${COLUMN_TYPE_COLUMNS}
    from (select distinct a.atttypid as oid, a.atttypmod as modifier
            from pg_catalog.pg_publication_tables p
            join pg_catalog.pg_namespace s on s.nspname = p.schemaname
            join pg_catalog.pg_class r on r.relnamespace = s.oid and r.relname = p.tablename
            join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
           where p.pubname = $1
           union
          select * from unnest($2::pg_catalog.oid[], $3::pg_catalog.int4[])) c
    left join pg_catalog.pg_type t on t.oid = c.oid
    left join pg_catalog.pg_namespace n on n.oid = t.typnamespace`;

/** The types of all published columns, and of `also`: pairs that a stream named and the catalog no longer has. */
export async function readColumnTypes(
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

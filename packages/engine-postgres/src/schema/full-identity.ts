import { position, type Position } from "@lockstep/core";
import type { Client } from "pg";
import type { CatalogKeys } from "../wal/full-identity-keys.ts";

/**
 * All transactions below the slot's `catalog_xmin` had ended before the point from which it sends. A row that is
 * visible and seems to come from the future is older than two billion transactions.
 */
const IS_SETTLED = (xmin: string): string =>
  `(pg_catalog.age(${xmin}) > pg_catalog.age(s.catalog_xmin) or pg_catalog.age(${xmin}) < 0)`;

/**
 * The slot has the publication's name. Not of pg_publication_tables, which locks each table: a commit that has it
 * locked may be waiting for us.
 */
const PRIMARY_KEYS = `
  select r.oid, i.indexrelid as "index", pg_catalog.array_agg(a.attname::pg_catalog.text order by key.at) as "columns",
         coalesce(pg_catalog.bool_and(${IS_SETTLED("i.xmin")} and ${IS_SETTLED("a.xmin")}), false) as "isSettled"
    from pg_catalog.pg_publication p
    join pg_catalog.pg_publication_rel l on l.prpubid = p.oid
    join pg_catalog.pg_class r on r.oid = l.prrelid and r.relreplident = 'f'
    join pg_catalog.pg_index i on i.indrelid = r.oid and i.indisprimary and i.indisvalid and i.indimmediate
    join lateral pg_catalog.unnest(i.indkey) with ordinality as key(attnum, at) on key.at <= i.indnkeyatts
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum = key.attnum
    left join pg_catalog.pg_replication_slots s on s.slot_name = p.pubname
   where p.pubname = $1 group by r.oid, i.indexrelid having pg_catalog.bool_and(a.attgenerated = '')`;

interface KeyRow {
  readonly oid: number;
  readonly index: number;
  readonly columns: readonly string[];
  readonly isSettled: boolean;
}

/** Three statements, so that what the catalog says lies between two positions. */
export async function readFullIdentityKeys(client: Client, publication: string): Promise<CatalogKeys> {
  const before = await insertPosition(client);
  const { rows } = await client.query<KeyRow>(PRIMARY_KEYS, [publication]);
  const after = await insertPosition(client);
  return { byTable: new Map(rows.map(({ oid, ...key }) => [oid, key])), before, after };
}

async function insertPosition(client: Client): Promise<Position> {
  const { rows } = await client.query<{ at: string }>(
    "select pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text as at",
  );
  return position(rows[0]?.at ?? "");
}

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

/** Whoever alters what is a key has locked the table so that nobody else reads it, until others can see that. */
const ALTERING = `
  select l.relation as oid, pg_catalog.array_agg(h.transactionid::pg_catalog.text) as xids
    from pg_catalog.pg_locks l
    join pg_catalog.pg_locks h
      on h.locktype = 'transactionid' and h.granted and h.virtualtransaction = l.virtualtransaction
    join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
   where l.locktype = 'relation' and l.granted and l.mode = 'AccessExclusiveLock' and l.relation in (
           select r.prrelid from pg_catalog.pg_publication p
             join pg_catalog.pg_publication_rel r on r.prpubid = p.oid where p.pubname = $1)
   group by l.relation`;

interface AlteringRow {
  readonly oid: number;
  readonly xids: readonly string[];
}

interface KeyRow {
  readonly oid: number;
  readonly index: number;
  readonly columns: readonly string[];
  readonly isSettled: boolean;
}

/** Statements in this order: what the catalog says lies between two positions, and who is altering it was there before. */
export async function readFullIdentityKeys(client: Client, publication: string): Promise<CatalogKeys> {
  const before = await insertPosition(client);
  const { rows: altering } = await client.query<AlteringRow>(ALTERING, [publication]);
  const { rows: keys } = await client.query<KeyRow>(PRIMARY_KEYS, [publication]);
  const after = await insertPosition(client);
  return {
    byTable: new Map(keys.map(({ oid, ...key }) => [oid, key])),
    altering: new Map(altering.map(({ oid, xids }) => [oid, xids])),
    before,
    after,
  };
}

async function insertPosition(client: Client): Promise<Position> {
  const { rows } = await client.query<{ at: string }>(
    "select pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text as at",
  );
  return position(rows[0]?.at ?? "");
}

import {
  errorFinding,
  errorOf,
  tableKey,
  tableLabel,
  type ErrorFinding,
  type Logger,
  type SourceTable,
  type TableName,
} from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import { proveUnaltered, writeStamp } from "./publication-stamp.ts";
import { markUnsettled } from "./unsettled.ts";

/** What there is, and what is wanted. */
interface PublicationState {
  readonly tables: readonly SourceTable[];
  readonly hasSlot: boolean;
  /** Something was read by the slot, and is in the topic. */
  readonly hasHistory: boolean;
}

export interface PublicationRow {
  readonly isForAllTables: boolean;
  readonly publishesAll: boolean;
  readonly isViaRoot: boolean;
  /** The connected role has its owner's rights. */
  readonly isOurs: boolean;
}

const MAKE_ANEW = "remove the pipeline and start it anew";
/** A change of a partition is one of the partitioned table. */
const VIA_ROOT = "publish_via_partition_root = true";

const READ_PUBLICATION = `
  select puballtables as "isForAllTables", pubinsert and pubupdate and pubdelete and pubtruncate as "publishesAll",
         pubviaroot as "isViaRoot", pg_catalog.pg_has_role(pubowner, 'USAGE') as "isOurs"
    from pg_catalog.pg_publication where pubname = $1`;

/** As the server has it, or null. */
export async function readPublication(client: Client, publication: string): Promise<PublicationRow | null> {
  return (await client.query<PublicationRow>(READ_PUBLICATION, [publication])).rows[0] ?? null;
}

/** Why a publication of our name is not what we read by, or null. `hasHistory` is null where that is not known. */
export function publicationProblem(
  publication: string,
  existing: PublicationRow | null,
  { hasSlot, hasHistory }: { readonly hasSlot: boolean; readonly hasHistory: boolean | null },
): ErrorFinding | null {
  if (existing === null) return hasSlot ? slotAlone(publication, hasHistory) : null;
  if (!existing.isForAllTables && existing.publishesAll) return null;
  const mend = wayOut(hasSlot ? hasHistory : false, {
    sql: `drop publication ${quoteIdentifier(publication)}`,
    lost: "what it may have left out is in no log",
  });
  return errorFinding("setup-incomplete", `publication ${publication} was not made by lockstep`, mend);
}

/**
 * Creates the publication of `tables`, or checks the one that is there. Without a slot nothing was ever read
 * by it, so it is made to list exactly them. Else tables that match and are not in it yet are taken in.
 */
export async function ensurePublication(
  client: Client,
  publication: string,
  { tables, hasSlot, hasHistory }: PublicationState,
  logger: Logger,
): Promise<"created" | "reused"> {
  const existing = await readPublication(client, publication);
  const problem = publicationProblem(publication, existing, { hasSlot, hasHistory });
  if (problem !== null) throw errorOf(problem);
  if (existing === null) {
    await client.query(
      `create publication ${quoteIdentifier(publication)} for table ${tableList(tables)} with (${VIA_ROOT})`,
    );
    await writeStamp(client, publication);
    return "created";
  }
  if (hasSlot) await proveUnaltered(client, publication);
  if (!existing.isViaRoot) {
    await client.query(`alter publication ${quoteIdentifier(publication)} set (${VIA_ROOT})`);
  }
  if (hasSlot) {
    await takeIn(client, publication, tables, logger);
    return "reused";
  }
  await client.query(`alter publication ${quoteIdentifier(publication)} set table ${tableList(tables)}`);
  await writeStamp(client, publication);
  return "reused";
}

/** Takes tables into a publication that is being read; those that are in it already stay. */
export async function takeIn(
  client: Client,
  publication: string,
  tables: readonly SourceTable[],
  logger: Logger,
): Promise<void> {
  const rows = await listPublished(client, publication);
  const published = new Set(rows.map(tableKey));
  const wanted = new Set(tables.map(tableKey));
  const surplus = rows.filter((table) => !wanted.has(tableKey(table)));
  const problem = surplusProblem(publication, surplus);
  if (problem !== null) throw errorOf(problem);
  const missing = tables.filter((table) => !published.has(tableKey(table)));
  if (missing.length === 0) return;
  const failures: unknown[] = [];
  for (const table of missing) {
    await takeInOne(client, publication, table).catch((error: unknown) => failures.push(error));
  }
  if (failures.length < missing.length)
    logger.info({ tables: missing.map(tableLabel), failed: failures.length }, "took new tables in");
  if (failures.length > 0) throw failures[0];
}

/** H1: whoever waits for a lock on a table lets others wait behind; so not for long, and for one table at a time. */
const LOCK_TIMEOUT = "3s";

async function takeInOne(client: Client, publication: string, table: TableName): Promise<void> {
  const before = new Set((await listPublished(client, publication)).map(({ publishedAs }) => publishedAs));
  await client.query(`begin; set local lock_timeout = '${LOCK_TIMEOUT}'`);
  try {
    await client.query(`alter publication ${quoteIdentifier(publication)} add table ${tableList([table])}`);
    // In one transaction: whoever copies it must wait for those that have changed it by now, whichever table of
    // that name it has become.
    const added = (await listPublished(client, publication)).filter(
      ({ publishedAs }) => !before.has(publishedAs),
    );
    await markUnsettled(client, publication, added);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined); // A lost connection has rolled back already.
    throw error;
  }
}

export async function listPublished(client: Client, publication: string): Promise<SourceTable[]> {
  const { rows } = await client.query<Required<SourceTable>>(
    `select n.nspname as "schema", c.relname as "name", c.oid::text as "identity", r.oid::text as "publishedAs"
       from pg_catalog.pg_publication p
       join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
       join pg_catalog.pg_class c on c.oid = r.prrelid
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where p.pubname = $1 order by 1, 2`,
    [publication],
  );
  return rows;
}

function tableList(tables: readonly TableName[]): string {
  return tables.map((table) => `only ${quoteTable(table)}`).join(", ");
}

/** Tables that are published and not wanted, or null where there are none. */
export function surplusProblem(publication: string, surplus: readonly TableName[]): ErrorFinding | null {
  if (surplus.length === 0) return null;
  const names = surplus.map(tableLabel).join(", ");
  return errorFinding(
    "setup-incomplete",
    `publication ${publication} has tables that the configuration does not name: ${names}`,
    {
      fix: "include them, or leave them for good",
      sql: `alter publication ${quoteIdentifier(publication)} drop table ${surplus.map(quoteTable).join(", ")}`,
    },
  );
}

/** Our publication is made before the slot: what a slot has seen before it, the server could not decode. */
function slotAlone(name: string, hasHistory: boolean | null): ErrorFinding {
  const mend = wayOut(hasHistory, {
    sql: `select pg_drop_replication_slot('${name}')`,
    lost: "what was committed since the publication was dropped cannot be decoded",
  });
  return errorFinding("slot-not-ours", `slot ${name} exists without its publication`, mend);
}

/** It is dropped by `sql` and made again, unless something was read by it. */
function wayOut(
  hasHistory: boolean | null,
  { sql, lost }: { readonly sql: string; readonly lost: string },
): { readonly fix: string; readonly sql?: string } {
  if (hasHistory === true) return { fix: `${MAKE_ANEW}: ${lost}` };
  if (hasHistory === false) return { fix: "drop it; it is made again at the next start", sql };
  return {
    fix: `if anything was ever read by it, ${MAKE_ANEW}: ${lost}; else drop it, it is made again`,
    sql,
  };
}

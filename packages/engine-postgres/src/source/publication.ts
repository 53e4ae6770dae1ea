import { ReplicationError, tableKey, tableLabel, type Logger, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteLiteral, quoteTable } from "../connection.ts";

interface PublicationRow {
  readonly isForAllTables: boolean;
  readonly publishesAll: boolean;
  readonly isViaRoot: boolean;
  readonly comment: string | null;
}

/** A change of a partition is one of the partitioned table. */
const VIA_ROOT = "publish_via_partition_root = true";

/** What we keep in the publication's comment, on the primary itself. */
export interface PublicationNote {
  /** The slot's first position, in the server's text. */
  readonly start: string;
  /** Tables that were empty there. */
  readonly emptyTables: readonly TableName[];
}

const READ_PUBLICATION = `
  select puballtables as "isForAllTables", pubinsert and pubupdate and pubdelete and pubtruncate as "publishesAll",
         pubviaroot as "isViaRoot",
         pg_catalog.obj_description(oid, 'pg_publication') as "comment"
    from pg_catalog.pg_publication where pubname = $1`;

/**
 * Creates the publication of `tables`, or checks the one that is there. Without a slot nothing was ever read
 * by it, so it is made to list exactly them. Else tables that match and are not in it yet are named in the log
 * and left out: taking one in needs a copy of its rows.
 */
export async function ensurePublication(
  client: Client,
  publication: string,
  { tables, hasSlot }: { readonly tables: readonly TableName[]; readonly hasSlot: boolean },
  logger: Logger,
): Promise<"created" | "reused"> {
  const list = tables.map((table) => `only ${quoteTable(table)}`).join(", ");
  const { rows } = await client.query<PublicationRow>(READ_PUBLICATION, [publication]);
  const [existing] = rows;
  if (existing === undefined) {
    await client.query(
      `create publication ${quoteIdentifier(publication)} for table ${list} with (${VIA_ROOT})`,
    );
    return "created";
  }
  if (existing.isForAllTables || !existing.publishesAll) {
    throw new ReplicationError("setup-incomplete", `publication ${publication} was not made by lockstep`, {
      fix: `drop publication ${quoteIdentifier(publication)}; it is made again at the next start`,
    });
  }
  if (!existing.isViaRoot) {
    await client.query(`alter publication ${quoteIdentifier(publication)} set (${VIA_ROOT})`);
  }
  if (!hasSlot) await client.query(`alter publication ${quoteIdentifier(publication)} set table ${list}`);
  else await comparePublishedTables(client, publication, tables, logger);
  return "reused";
}

async function comparePublishedTables(
  client: Client,
  publication: string,
  tables: readonly TableName[],
  logger: Logger,
): Promise<void> {
  const rows = await listPublished(client, publication);
  const published = new Set(rows.map(tableKey));
  const wanted = new Set(tables.map(tableKey));
  const surplus = rows.filter((table) => !wanted.has(tableKey(table)));
  if (surplus.length > 0) {
    throw new ReplicationError(
      "setup-incomplete",
      `publication ${publication} has tables that the configuration does not name: ${surplus.map(tableLabel).join(", ")}`,
      {
        fix:
          `include them, or leave them for good: ` +
          `alter publication ${quoteIdentifier(publication)} drop table ${surplus.map(quoteTable).join(", ")}`,
      },
    );
  }
  const missing = tables.filter((table) => !published.has(tableKey(table))).map(tableLabel);
  if (missing.length > 0) {
    logger.warn(
      { tables: missing },
      "tables that match but came after the first start are not replicated yet",
    );
  }
}

export async function listPublished(client: Client, publication: string): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
    `select schemaname as "schema", tablename as "name" from pg_catalog.pg_publication_tables where pubname = $1`,
    [publication],
  );
  return rows;
}

/** Stores the note; it is durable when this resolves. */
export async function storeNote(client: Client, publication: string, note: PublicationNote): Promise<void> {
  const comment = quoteLiteral(JSON.stringify({ lockstep: note }));
  await client.query(`comment on publication ${quoteIdentifier(publication)} is ${comment}`);
}

/** The note, or null when the publication has none of ours. */
export async function readNote(client: Client, publication: string): Promise<PublicationNote | null> {
  const { rows } = await client.query<PublicationRow>(READ_PUBLICATION, [publication]);
  const comment = rows[0]?.comment ?? null;
  return comment === null ? null : parseNote(comment);
}

function parseNote(comment: string): PublicationNote | null {
  let value: unknown;
  try {
    value = JSON.parse(comment);
  } catch {
    return null; // A person's own comment.
  }
  return isNoteHolder(value) ? value.lockstep : null;
}

function isNoteHolder(value: unknown): value is { readonly lockstep: PublicationNote } {
  if (typeof value !== "object" || value === null || !("lockstep" in value)) return false;
  const note = value.lockstep;
  return (
    typeof note === "object" &&
    note !== null &&
    "start" in note &&
    typeof note.start === "string" &&
    "emptyTables" in note &&
    Array.isArray(note.emptyTables)
  );
}

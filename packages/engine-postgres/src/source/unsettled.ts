import { setTimeout as sleep } from "node:timers/promises";
import { tableLabel, type Logger, type SourceTable } from "@lockstep/core";
import type { Client } from "pg";
import { partitionTree } from "../schema/partition-tree.ts";
import { readNote, writeNote } from "./publication-note.ts";

/*
 * A transaction that has changed a table before it was published, and commits later, is streamed without those
 * changes. So the table is unsettled until every such transaction has ended, and is not copied before. Which
 * tables are unsettled stands in the publication's comment, on the primary itself: { lockstep: { unsettled } }.
 */

const POLL_MS = 200;

/** Locks that a change of rows takes; a vacuum or an index that is built takes others. */
const WRITE_LOCKS = ["RowExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"];

/** Within the transaction that publishes the tables. */
export async function markUnsettled(
  client: Client,
  publication: string,
  tables: readonly SourceTable[],
): Promise<void> {
  const before = await readUnsettled(client, publication);
  await writeUnsettled(client, publication, [...before, ...tables.map(({ identity = "" }) => identity)]);
}

/** Waits until no transaction is left that changed one of the tables before it was published. */
export async function settle(
  client: Client,
  publication: string,
  tables: readonly SourceTable[],
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const unsettled = new Set(await readUnsettled(client, publication));
  const waiting = tables.filter(({ identity = "" }) => unsettled.has(identity));
  if (waiting.length === 0) return;
  const oids = waiting.map(({ identity = "" }) => identity);
  let left = await readWriters(client, oids);
  if (left.length > 0) {
    const sessions = left.map(({ pid }) => pid ?? "a prepared transaction");
    logger.info({ tables: waiting.map(tableLabel), sessions }, "waiting for transactions before a copy");
  }
  while (left.length > 0) {
    await sleep(POLL_MS, undefined, { signal });
    const now = new Set((await readWriters(client, oids)).map(({ transaction }) => transaction));
    left = left.filter(({ transaction }) => now.has(transaction));
  }
  await client.query("begin");
  const rest = (await readUnsettled(client, publication)).filter((oid) => !oids.includes(oid));
  await writeUnsettled(client, publication, rest);
  await client.query("commit");
}

interface Writer {
  readonly transaction: string;
  /** Null of a prepared transaction. */
  readonly pid: number | null;
}

async function readWriters(client: Client, oids: readonly string[]): Promise<Writer[]> {
  const { rows } = await client.query<Writer>(
    `select distinct l.virtualtransaction as "transaction", l.pid
       from pg_catalog.pg_locks l
      where l.locktype = 'relation' and l.granted and l.mode = any ($2)
        and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
        and l.pid is distinct from pg_catalog.pg_backend_pid()
        and l.relation in (select t.relid from unnest($1::pg_catalog.oid[]) o, lateral ${partitionTree("o")} t
                           union select unnest($1::pg_catalog.oid[]))`,
    [oids, WRITE_LOCKS],
  );
  return rows;
}

async function readUnsettled(client: Client, publication: string): Promise<string[]> {
  const { unsettled } = await readNote(client, publication);
  return Array.isArray(unsettled) ? unsettled.filter((oid) => typeof oid === "string") : [];
}

async function writeUnsettled(client: Client, publication: string, oids: readonly string[]): Promise<void> {
  await writeNote(client, publication, { unsettled: [...new Set(oids)] });
}

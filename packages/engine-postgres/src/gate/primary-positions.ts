import { position, type Position } from "@lockstep/core";
import type { Client } from "pg";

/** Above all commits. Never the flushed one: it lies below those that do not wait for their own disk. */
export async function readInsertPosition(client: Client): Promise<Position> {
  return await read(client, "pg_catalog.pg_current_wal_insert_lsn()");
}

/** What the walsender may send. */
export async function readFlushedPosition(client: Client): Promise<Position> {
  return await read(client, "pg_catalog.pg_current_wal_flush_lsn()");
}

async function read(client: Client, source: string): Promise<Position> {
  const { rows } = await client.query<{ lsn: string }>(`select ${source}::text as lsn`);
  return position(rows[0]?.lsn ?? "0/0");
}

/**
 * While it catches up a commit would wait for all of that. A role that may not see the state has what it received to
 * go by: it has passed the newest WAL.
 */
export async function isStreaming(client: Client, processId: number): Promise<boolean> {
  const { rows } = await client.query<{ state: string | null }>(
    "select state from pg_catalog.pg_stat_replication where pid = $1",
    [processId],
  );
  const [row] = rows;
  return row !== undefined && (row.state ?? "streaming") === "streaming";
}

import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import { readNote, writeNote } from "./publication-note.ts";

/*
 * A2: a publication that is dropped, or publishes less for a while, leaves changes out without a word (PostgreSQL 18
 * skips a missing one). So we note which row of the catalog it was: whatever alters its options writes another, while
 * tables that come and go do not.
 */

/** Notes that the publication, as it is now, is what we read by. */
export async function writeStamp(client: Client, publication: string): Promise<void> {
  await client.query("begin");
  try {
    await writeNote(client, publication, { stamp: await readStamp(client, publication) });
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined); // A lost connection has rolled back already.
    throw error;
  }
}

/** Rejects with `slot-not-ours` when the publication is missing, or was altered since it was noted. */
export async function proveUnaltered(client: Client, publication: string): Promise<void> {
  const stamp = await readStamp(client, publication);
  if (stamp === null) throw changed(publication, "was dropped");
  const { stamp: noted } = await readNote(client, publication);
  if (noted === undefined) return await writeStamp(client, publication);
  if (noted !== stamp) throw changed(publication, "was altered or made anew");
}

async function readStamp(client: Client, publication: string): Promise<string | null> {
  const { rows } = await client.query<{ stamp: string }>(
    "select oid || ':' || xmin as stamp from pg_catalog.pg_publication where pubname = $1",
    [publication],
  );
  return rows[0]?.stamp ?? null;
}

function changed(publication: string, what: string): ReplicationError {
  return new ReplicationError("slot-not-ours", `publication ${publication} ${what} by somebody else`, {
    fix: "remove the pipeline and start it anew: what was committed meanwhile may be in no log",
    fields: { publication },
  });
}

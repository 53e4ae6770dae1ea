import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError, type Client } from "pg";

/** No pipeline's own slot has this name: theirs begin with a letter after the first underscore. */
const SLOT = "lockstep__gate";
const DUPLICATE_OBJECT = "42710";
const POLL_MS = 20;

/**
 * One session of the whole server at a time reads the setting and writes what it makes of it. Advisory locks are each
 * database's own; the names of slots are the server's, and a temporary slot goes with its session. Whoever has it for
 * longer than `waitMs` hangs: then it is done all the same, as where the server has no slot left.
 */
export async function aloneOnServer<T>(client: Client, work: () => Promise<T>, waitMs = 5_000): Promise<T> {
  const isMine = await take(client, waitMs);
  try {
    return await work();
  } finally {
    if (isMine) await client.query("select pg_catalog.pg_drop_replication_slot($1)", [SLOT]);
  }
}

async function take(client: Client, waitMs: number): Promise<boolean> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    try {
      await client.query("select pg_catalog.pg_create_physical_replication_slot($1, false, true)", [SLOT]);
      return true;
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.code !== DUPLICATE_OBJECT || performance.now() > untilMs) return false;
      await sleep(POLL_MS);
    }
  }
}

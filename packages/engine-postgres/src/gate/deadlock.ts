import type { Logger } from "@lockstep/core";
import type { Client } from "pg";

/*
 * Prepared, and of functions alone: while a catalog is locked, a plan that is there already still runs, and a look at
 * any table of the catalog may not.
 */
const CANCEL_WAITS = {
  name: "lockstep-gate-deadlock",
  text: `select pid, query, pg_catalog.pg_cancel_backend(pid) as "isFreed"
           from pg_catalog.pg_stat_get_activity(null)
          where wait_event = 'SyncRep' and pid = any (pg_catalog.pg_blocking_pids($1))`,
};

interface Freed {
  readonly pid: number;
  readonly query: string | null;
  readonly isFreed: boolean;
}

/**
 * A commit that holds a lock which the walsender needs in order to decode it, as of `vacuum full` of a catalog, would
 * wait for ever (PostgreSQL manual, "Synchronous Replication Support for Logical Decoding"). Its wait is cancelled:
 * it is committed, and its client is warned that it is on the primary alone.
 */
export async function freeDeadlock(client: Client, processId: number, logger: Logger): Promise<void> {
  const { rows } = await client.query<Freed>({ ...CANCEL_WAITS, values: [processId] });
  for (const { pid, query, isFreed } of rows) {
    const statement = (query ?? "").split(/\s+/).slice(0, 3).join(" ");
    logger.warn(
      { session: pid, statement, isFreed },
      "a commit locks what is needed to decode it; it waits no longer, and is on the primary alone until it is replicated",
    );
  }
}

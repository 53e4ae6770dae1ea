import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@lockstep/core";
import type { Client } from "pg";

const POLL_MS = 200;

/** Resolves once every transaction that runs at the call has ended and shows: prepared ones too. Harms nobody. */
export async function waitForAll(client: Client, logger: Logger, signal: AbortSignal): Promise<void> {
  const { rows } = await client.query<{ last: string }>(
    "select pg_catalog.pg_current_xact_id()::text as last", // Above whatever runs, whether its commit is in the log or not.
  );
  const last = rows[0]?.last ?? "0";
  for (let isSaid = false; ; isSaid = true) {
    const ended = await client.query<{ haveEnded: boolean }>(
      `select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) > $1::pg_catalog.xid8 as "haveEnded"`,
      [last],
    );
    if (ended.rows[0]?.haveEnded === true) return;
    if (!isSaid) logger.info({}, "waiting for the transactions that run on the primary, before a copy");
    await sleep(POLL_MS, undefined, { signal });
  }
}

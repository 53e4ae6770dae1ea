import { ReplicationError } from "@lockstep/core";
import { connect, sqlStateOf, type ConnectOptions } from "../connection.ts";

/** A server that answers at all answers within this. */
const ASK_TIMEOUT_MS = 10_000;
/** `cannot_connect_now`: to a server that still has our walsender, it says that it shuts down. */
const CANNOT_CONNECT_NOW = "57P03";

/**
 * Asks over another connection whether the walsender decodes: then it may be silent for long, e.g. while it
 * leaves out a large transaction on tables that are not published. False when it waits, is gone, or the server
 * cannot be asked.
 */
export async function isDecoding(options: ConnectOptions, pid: number): Promise<boolean> {
  try {
    await using other = await connect(options, AbortSignal.timeout(ASK_TIMEOUT_MS));
    const { rows } = await other.client.query<{ isDecoding: boolean }>(
      `select coalesce(wait_event_type not in ('Activity', 'Client'), true) as "isDecoding"
         from pg_catalog.pg_stat_activity where pid = $1`,
      [pid],
    );
    return rows[0]?.isDecoding ?? false;
  } catch {
    return false;
  }
}

/** Asks whether the server is on its way down and waits for our walsender only. */
export async function isShuttingDown(options: ConnectOptions): Promise<boolean> {
  try {
    await using _ = await connect(options, AbortSignal.timeout(ASK_TIMEOUT_MS));
    return false;
  } catch (error) {
    return error instanceof ReplicationError && sqlStateOf(error.cause) === CANNOT_CONNECT_NOW;
  }
}

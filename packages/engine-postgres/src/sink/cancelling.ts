import { setTimeout as sleep } from "node:timers/promises";
import { NotAppended } from "@lockstep/core";
import type { Client } from "pg";
import { connect, type ConnectOptions } from "../connection.ts";

/** A statement that goes on for longer waits for somebody else's lock, most likely. */
const CANCEL_AFTER_MS = 100;
/** A run that stops waits for one that is under way. */
const CONNECT_TIMEOUT_MS = 1_000;

/**
 * Runs `work`; from the moment that `appended` rejects with `NotAppended` its statements are cancelled, so that what waits for somebody
 * else's lock does not keep the rows which it has changed itself. Nothing is cancelled any more once this resolves.
 */
export async function cancelledOnceUndone<T>(
  appended: Promise<void> | undefined,
  cancel: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  let isUndone = false;
  const cancelling = appended?.catch(async (error: unknown) => {
    if (!(error instanceof NotAppended)) return; // An abort, which closes the connection.
    isUndone = true;
    while (!over.signal.aborted) {
      await sleep(CANCEL_AFTER_MS, undefined, { signal: over.signal }).catch(() => undefined);
      if (!over.signal.aborted) await cancel();
    }
  });
  try {
    return await work();
  } finally {
    over.abort();
    if (isUndone) await cancelling;
  }
}

/** Over a connection of its own. One that cannot be had cancels nothing. */
export async function cancelStatement(
  options: ConnectOptions,
  { client }: { readonly client: Client },
): Promise<void> {
  const processId = "processID" in client ? client.processID : null;
  try {
    await using other = await connect(options, AbortSignal.timeout(CONNECT_TIMEOUT_MS));
    await other.client.query("select pg_catalog.pg_cancel_backend($1)", [processId]);
  } catch {
    // The link watch finds out whether the server is there.
  }
}

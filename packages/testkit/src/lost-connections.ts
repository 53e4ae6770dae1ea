import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { withAnyClient, type AnyClient } from "./databases/any-client.ts";

const RECONNECT_MS = 50;
const CONNECT_TIMEOUT_MS = 5_000;

/** Takes one step after another on a connection until the signal, over servers that go away and come back. */
export async function overLostConnections(
  url: string,
  signal: AbortSignal,
  step: (client: Client) => Promise<void>,
): Promise<void> {
  await overLost(signal, step, async (work) => await withClient(url, work));
}

/** The same, of any engine. A deadlock is one's own affair: whoever loses one begins again. */
export async function overAnyLostConnections(
  url: string,
  signal: AbortSignal,
  step: (client: AnyClient) => Promise<void>,
): Promise<void> {
  await overLost(signal, step, async (work) => await withAnyClient(url, work));
}

async function overLost<C>(
  signal: AbortSignal,
  step: (client: C) => Promise<void>,
  withConnection: (work: (client: C) => Promise<void>) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await withConnection(async (client) => {
        while (!signal.aborted) await step(client);
      });
    } catch (error) {
      if (!isLost(error)) throw error;
      await sleep(RECONNECT_MS);
    }
  }
}

/** Work on a connection of its own. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on("error", () => undefined); // A server that is killed shows at the next query.
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Whether the server went away, as opposed to refusing what was asked. */
function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return (
    /^(57P0|08|ECONN|EPIPE|ETIMEDOUT|PROTOCOL_|ER_SERVER_SHUTDOWN|ER_LOCK_DEADLOCK|ER_CONNECTION_KILLED)/.test(
      code,
    ) ||
    /terminated|timeout|not queryable|Client was closed|closed state|Connection lost/i.test(error.message)
  );
}

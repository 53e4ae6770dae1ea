import { setTimeout as sleep } from "node:timers/promises";
import { createConnection, type Connection } from "mysql2/promise";

const RECONNECT_MS = 50;
const CONNECT_TIMEOUT_MS = 5_000;

/** As `overLostConnections`, with MySQL and MariaDB. */
export async function overLostMysql(
  url: string,
  signal: AbortSignal,
  step: (connection: Connection) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await withMysql(url, async (connection) => {
        while (!signal.aborted) await step(connection);
      });
    } catch (error) {
      if (!isLost(error)) throw error;
      await sleep(RECONNECT_MS);
    }
  }
}

/** Work on a connection of its own; every value is the server's own text, times are in UTC. */
export async function withMysql<T>(url: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await createConnection({
    uri: url,
    charset: "utf8mb4",
    multipleStatements: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    typeCast: (field) => field.string("utf8"),
  });
  connection.on("error", () => undefined); // A server that is killed shows at the next query.
  try {
    await connection.query("set time_zone = '+00:00'");
    return await work(connection);
  } finally {
    await connection.end().catch(() => undefined);
  }
}

/** Whether the server went away, as opposed to refusing what was asked. */
function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|PROTOCOL_|HANDSHAKE_|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED)/.test(code) ||
    /closed state|Connection lost/i.test(error.message)
  );
}

import { Socket } from "node:net";
import { ReplicationError, type ErrorCode, type TableName } from "@lockstep/core";
import { Client, DatabaseError, type ClientConfig } from "pg";
import { watchLink } from "./link-watch.ts";

/** Pinned in every session of ours, so that text means the same at both ends (V1). */
const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  client_encoding: "UTF8",
  datestyle: "ISO",
  intervalstyle: "postgres",
  timezone: "UTC",
  extra_float_digits: "3",
  bytea_output: "hex",
  xmlbinary: "base64",
  lc_monetary: "C",
  array_nulls: "on", // Else NULL among an array's elements would be read as a text.
  row_security: "off", // Rows hidden from us are an error, not absent.
  search_path: "",
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  // The server's own view of a dead link: it releases what the session holds.
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
  tcp_user_timeout: "30000",
};

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_DELAY_MS = 10_000;
/** How long a server may take to say goodbye. */
const END_TIMEOUT_MS = 300;

export interface ConnectOptions {
  /** As libpq has it; its `options` are kept, ours come after. */
  readonly url: string;
  readonly pipeline: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** A walsender connection that also takes SQL. */
  readonly isReplication?: boolean;
  /** Beside the session that owns a replica. */
  readonly isCopy?: boolean;
}

export interface Connected extends AsyncDisposable {
  readonly client: Client;
}

type ReplicationClientConfig = ClientConfig & { replication?: "database" };

/** How to connect, for `pg` and what builds on it. Throws `config-invalid` for a malformed URL, without showing it. */
export function clientConfig(options: ConnectOptions): ReplicationClientConfig {
  const url = parseUrl(options.url);
  const given = url.searchParams.get("options") ?? "";
  url.searchParams.delete("options");
  const settings = Object.entries({ ...PINNED_SETTINGS, ...options.settings });
  const ours = settings.map(([name, value]) => `-c ${name}=${value}`).join(" ");
  return {
    connectionString: url.toString(),
    application_name: applicationName(options.pipeline, options.isCopy === true),
    options: `${given} ${ours}`.trim(),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(options.isReplication === true ? { replication: "database" } : {}),
  };
}

/**
 * Connects. The signal closes the connection whenever it is aborted, and so does a link that has died in
 * silence; both reject what is under way.
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  const connected = await connectUnwatched(options, signal);
  const { client } = connected;
  const { stream } = client.connection; // With TLS another than the one we gave.
  const isAtWork = async (): Promise<boolean> => await isSessionAtWork(options, client);
  const onAnswered = (listener: () => void): unknown => client.connection.on("readyForQuery", listener);
  const endWatch =
    stream instanceof Socket ? watchLink({ socket: stream, isAtWork, onAnswered }) : () => undefined;
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      endWatch();
      await connected[Symbol.asyncDispose]();
    },
  };
}

/** Asks over another connection; `connection-lost` also when that takes too long. */
async function isSessionAtWork(options: ConnectOptions, client: Client): Promise<boolean> {
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  try {
    await using other = await connectUnwatched({ ...options, isReplication: false }, timeout);
    const { rows } = await other.client.query<{ state: string }>(
      "select state from pg_catalog.pg_stat_activity where pid = $1",
      ["processID" in client ? client.processID : null],
    );
    return rows[0]?.state === "active";
  } catch (error) {
    if (timeout.aborted) throw new ReplicationError("connection-lost", `${placeOf(options)} does not answer`);
    throw toReplicationError(error, placeOf(options));
  }
}

async function connectUnwatched(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  signal.throwIfAborted();
  const socket = new Socket();
  const client = new Client({ ...clientConfig(options), stream: () => socket });
  client.on("error", () => undefined); // A lost idle connection shows at the next query.
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await client.connect();
  } catch (error) {
    signal.removeEventListener("abort", abort);
    socket.destroy();
    signal.throwIfAborted();
    throw toReplicationError(error, placeOf(options));
  }
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener("abort", abort);
      const timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS);
      await client.end().catch(() => undefined);
      clearTimeout(timer);
      socket.destroy();
    },
  };
}

/** By which sessions of a pipeline are told from others, and those that copy from the one that owns. */
export function applicationName(pipeline: string, isCopy: boolean): string {
  return `lockstep_${pipeline}${isCopy ? " copy" : ""}`;
}

/** Exists from PostgreSQL 17 on; a large transaction, or a view, is open for as long as its work takes. */
export const NO_TRANSACTION_TIMEOUT: string = `
  select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name = 'transaction_timeout'`;

/** `host:port/database`, for messages. */
function placeOf({ url }: Pick<ConnectOptions, "url">): string {
  const { hostname, port, pathname } = parseUrl(url);
  return `${hostname === "" ? "localhost" : hostname}:${port === "" ? "5432" : port}${pathname}`;
}

/** All slots are in use, or a like limit is reached. */
const CONFIGURATION_LIMIT = "53400";
/** SQLSTATEs that say: not now. */
const NOT_NOW = /^(?:08...|57P0[1235]|53...|4000[13]|40P01|57014|55P03|25006)$/;
/** Why a server that would take the session does not: it may be mended while we wait. */
const NOT_ACCEPTING = "55000";
const LOST = /ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN/;
const LOST_MESSAGE =
  /Connection terminated|connection error|Client was closed|timeout expired|not queryable|timeout exceeded/i;

/** Sorts what `pg` throws; what it does not know comes back as it is. Never with a password (S1). */
export function toReplicationError(error: unknown, where: string): unknown {
  if (error instanceof ReplicationError || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof DatabaseError) {
    const known =
      code === NOT_ACCEPTING && error.severity === "FATAL" ? "server-unavailable" : knownCode(code);
    if (known === null) return error;
    return new ReplicationError(known, `${where}: ${error.message}`, {
      cause: error,
      fix: fixFor(known, code, where),
    });
  }
  if (!LOST.test(code) && !LOST_MESSAGE.test(error.message)) return error;
  return new ReplicationError("connection-lost", `${where} cannot be reached: ${error.message || code}`, {
    cause: error,
    fix: "start the server or mend the network; this is tried again until it works",
  });
}

function knownCode(sqlState: string): ErrorCode | null {
  if (sqlState === CONFIGURATION_LIMIT) return "setup-incomplete";
  if (NOT_NOW.test(sqlState)) return "server-unavailable";
  if (sqlState.startsWith("28")) return "authentication-failed";
  if (sqlState === "42501") return "permission-denied";
  if (sqlState === "3D000") return "setup-incomplete";
  return null;
}

/** What a person can do about what would pass only by itself. */
const WAIT_FIXES: Readonly<Record<string, string>> = {
  "25006": "make the server writable (default_transaction_read_only = off, or end its recovery); ",
  "53100": "free space on the server's disk; ",
  "53200": "give the server more memory; ",
  "53300": "raise the connection limit of role, database or server, or close other connections; ",
  [NOT_ACCEPTING]: "let the database accept connections (alter database … allow_connections true); ",
};

function fixFor(code: ErrorCode, sqlState: string, where: string): string {
  switch (code) {
    case "authentication-failed":
      return `correct user and password in the url of ${where}, or pg_hba.conf on the server`;
    case "permission-denied":
      return "grant the role what the message names";
    case "setup-incomplete":
      return sqlState === CONFIGURATION_LIMIT
        ? "raise the setting that the message names (max_replication_slots, max_wal_senders, …), or free what holds it"
        : "create the database, or correct its name in the url";
    default:
      return `${WAIT_FIXES[sqlState] ?? ""}it is tried again until it works`;
  }
}

/** SQLSTATE of a server's error, or null. */
export function sqlStateOf(error: unknown): string | null {
  return error instanceof DatabaseError ? (error.code ?? null) : null;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? ` E${quoted}` : quoted;
}

export function quoteTable({ schema, name }: TableName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === "postgres:" || url.protocol === "postgresql:") return url;
  } catch {
    // Said below, without the text: it may hold a password.
  }
  throw new ReplicationError("config-invalid", "a url of engine postgres is malformed", {
    fix: "write it as postgres://user:password@host:5432/database, special characters percent-encoded",
  });
}

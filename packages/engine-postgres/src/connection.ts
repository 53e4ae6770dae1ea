import type { Socket } from "node:net";
import {
  hasCode,
  ReplicationError,
  tlsFailure,
  watchLink,
  type ErrorCode,
  type TableName,
} from "@lockstep/core";
import { Client, DatabaseError, type ClientConfig } from "pg";
import { attemptsFor, type Attempt } from "./link/attempts.ts";
import { openLink, TLS_NAMES } from "./link/link.ts";
import { targetOf, type ConnectOptions, type Target } from "./link/target.ts";

export type { ConnectOptions };

const CONNECT_TIMEOUT_MS = 10_000;
/** How long a server may take to say goodbye. */
const END_TIMEOUT_MS = 300;

export interface Connected extends AsyncDisposable {
  readonly client: Client;
  readonly socket: Socket;
  /** How the server has taken it. */
  readonly attempt: Attempt;
}

/**
 * Connects. The signal closes the connection whenever it is aborted, and so does a link that has died in
 * silence; both reject what is under way.
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  const connected = await connectUnwatched(options, signal);
  const { client, socket } = connected;
  const isAtWork = async (): Promise<boolean> => await isSessionAtWork(options, client);
  const onAnswered = (listener: () => void): unknown => client.connection.on("readyForQuery", listener);
  const endWatch = watchLink({ socket, isAtWork, onAnswered });
  return {
    ...connected,
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
    if (timeout.aborted)
      throw new ReplicationError("connection-lost", `${targetOf(options).place} does not answer`);
    throw toReplicationError(error, targetOf(options).place);
  }
}

/** In libpq's order: by TLS or without, until the server takes one. */
async function connectUnwatched(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  const target = targetOf(options);
  let refused: ReplicationError | null = null;
  for (const attempt of await attemptsFor(target.tls, target)) {
    try {
      return await connectOnce(target, attempt, signal);
    } catch (error) {
      signal.throwIfAborted();
      const known = toReplicationError(error, target.place);
      // Of TLS only what the link itself says: a server that regrets it after the handshake has taken it.
      const isRefused = hasCode(error, "tls-failed") || hasCode(known, "authentication-failed");
      if (!isRefused || !(known instanceof ReplicationError)) throw known;
      refused = refused === null ? known : refusedBothWays(refused, known, attempt);
    }
  }
  throw refused;
}

async function connectOnce(target: Target, attempt: Attempt, signal: AbortSignal): Promise<Connected> {
  const socket = await openLink(target, attempt, signal);
  const client = new Client({ ...target.config, stream: () => socket });
  client.on("error", () => undefined); // A lost idle connection shows at the next query.
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await client.connect();
  } catch (error) {
    signal.removeEventListener("abort", abort);
    socket.destroy();
    throw error;
  }
  return {
    client,
    socket,
    attempt,
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener("abort", abort);
      const timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS);
      await client.end().catch(() => undefined);
      clearTimeout(timer);
      socket.destroy();
    },
  };
}

function refusedBothWays(
  first: ReplicationError,
  second: ReplicationError,
  { kind }: Attempt,
): ReplicationError {
  const fix = first.fix ?? second.fix;
  return new ReplicationError(
    first.code,
    `${first.message}; ${kind === "plain" ? "without" : "with"} TLS: ${second.message}`,
    { cause: first.cause, ...(fix === undefined ? {} : { fix }) },
  );
}

/** Where the stream of the log comes from: a connection of its own, made as one that the server has taken. */
export interface ReplicationLink {
  readonly clientConfig: ClientConfig;
  readonly socket: Socket;
}

/** The caller is to destroy the socket. */
export async function openReplicationLink(
  options: ConnectOptions,
  { attempt }: Connected,
  signal: AbortSignal,
): Promise<ReplicationLink> {
  const target = targetOf({ ...options, isReplication: true });
  try {
    const socket = await openLink(target, attempt, signal);
    return { socket, clientConfig: { ...target.config, stream: () => socket } };
  } catch (error) {
    signal.throwIfAborted();
    throw toReplicationError(error, target.place);
  }
}

/** Exists from PostgreSQL 17 on; a large transaction, or a view, is open for as long as its work takes. */
export const NO_TRANSACTION_TIMEOUT: string = `
  select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings where name = 'transaction_timeout'`;

/** All slots are in use, or a like limit is reached. */
const CONFIGURATION_LIMIT = "53400";
/** SQLSTATEs that say: not now. */
const NOT_NOW = /^(?:08...|57P0[1235]|53...|4000[13]|40P01|57014|55P03|25006)$/;
/** Why a server that would take the session does not: it may be mended while we wait. */
const NOT_ACCEPTING = "55000";
const LOST = /ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN/;
const LOST_MESSAGE =
  /Connection terminated|connection error|Client was closed|timeout expired|not queryable|timeout exceeded/i;

/** A setting that the server does not know. */
const UNKNOWN_SETTING = "42704";
/** Every session of ours sets it. PostgreSQL has it from 14 on, where also `pg_terminate_backend` waits. */
const SETTING_OF_14 = "idle_session_timeout";

/** Of the driver itself, which has none to answer with. */
const NO_PASSWORD = /client password must be a (?:non-empty )?string/;

/** Sorts what `pg` throws; what it does not know comes back as it is. Never with a password (S1). */
export function toReplicationError(error: unknown, where: string): unknown {
  if (error instanceof ReplicationError || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof DatabaseError) {
    const isAtStart = error.severity === "FATAL";
    if (isAtStart && code === UNKNOWN_SETTING) return unknownSetting(error, where);
    const known = isAtStart && code === NOT_ACCEPTING ? "server-unavailable" : knownCode(code);
    if (known === null) return error;
    return new ReplicationError(known, `${where}: ${error.message}`, {
      cause: error,
      fix: fixFor(known, code, where),
    });
  }
  const tls = tlsFailure(error, where, TLS_NAMES);
  if (tls !== null) return tls;
  if (NO_PASSWORD.test(error.message))
    return new ReplicationError(
      "authentication-failed",
      `${where}: the server asks for a password, and its url has none`,
      {
        cause: error,
        fix: "put it into the url as ${NAME}, with the variable set, or as ${file:PATH}",
      },
    );
  if (!LOST.test(code) && !LOST_MESSAGE.test(error.message)) return error;
  return new ReplicationError("connection-lost", `${where} cannot be reached: ${error.message || code}`, {
    cause: error,
    fix: "start the server or mend the network; this is tried again until it works",
  });
}

function unknownSetting(error: DatabaseError, where: string): ReplicationError {
  if (error.message.includes(SETTING_OF_14)) {
    const fix = "use PostgreSQL 14 or newer";
    return new ReplicationError("setup-incomplete", `${where} is older than PostgreSQL 14`, {
      cause: error,
      fix,
    });
  }
  const fix = `correct options in the url of ${where}`;
  return new ReplicationError("config-invalid", `${where}: ${error.message}`, { cause: error, fix });
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
  "53300":
    "raise the limit that the message names (of role, database or server, or max_wal_senders), or close other connections; ",
  [NOT_ACCEPTING]: "let the database accept connections (alter database … allow_connections true); ",
};

function fixFor(code: ErrorCode, sqlState: string, where: string): string {
  switch (code) {
    case "authentication-failed":
      return `correct user, password or certificate (sslcert, sslkey) in the url of ${where}, or pg_hba.conf on the server`;
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

import { Socket } from "node:net";
import { ReplicationError, watchLink } from "@lockstep/core";
import { createConnection, type Connection, type ConnectionOptions, type SslOptions } from "mysql2";
import { targetOf, type Target } from "./link/target.ts";
import { sslOptions } from "./link/tls-settings.ts";
import { readServer, type Server } from "./server.ts";
import { toReplicationError } from "./server-error.ts";
import { Session } from "./session.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_DELAY_MS = 10_000;
/** How long a server may take to say goodbye. */
const END_TIMEOUT_MS = 300;

export interface ConnectOptions {
  /** `mysql://user:password@host:port/database?ssl-mode=…`, or `mariadb://…`. */
  readonly url: string;
  /** The url's paths are relative to it; default: the working directory. */
  readonly folder?: string | undefined;
  /** Of the session, beside those that every one of ours has; values as SQL has them. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Rows may be sent by LOAD DATA LOCAL. Default: they may not. */
  readonly loads?: boolean;
  /** The url's database need not be there: no statement is to need one. Default: it is used. */
  readonly isAnywhere?: boolean;
  /** As an application connects: the driver's and the server's own settings. Default: as we do. */
  readonly isClient?: boolean;
}

export interface Connected extends AsyncDisposable {
  readonly session: Session;
  readonly server: Server;
  /** As which it connected, for a connection of another kind. */
  readonly account: Account;
  /** `host:port/database`, for messages. */
  readonly place: string;
  /** Aborted as soon as the link is known to be lost, with the error as its reason. */
  readonly lost: AbortSignal;
}

interface Account {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Where the connection has TLS. */
  readonly ssl?: SslOptions;
}

/** Pinned in every session of ours, so that text means the same at both ends (V1). */
const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  // What does not fit is refused; 0 is a value and no request for a number; a source's zero dates stay what they
  // are. Neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES: we quote for a session without them.
  sql_mode: "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES'",
  time_zone: "'+00:00'",
  sql_notes: "1", // What the server changes without refusing it is told as a note.
  sql_safe_updates: "0",
  sql_select_limit: "default",
  autocommit: "1",
  transaction_isolation: "'READ-COMMITTED'",
  // A statement that waits for a lock may take as long as it likes; the largest that both flavours take.
  innodb_lock_wait_timeout: "100000000",
  lock_wait_timeout: "31536000",
  wait_timeout: "31536000",
  net_read_timeout: "600",
  net_write_timeout: "600",
};
/** MariaDB knows it by this name since always, by the other since 11.1. */
const OLD_NAMES: Readonly<Record<string, string>> = { transaction_isolation: "tx_isolation" };

/**
 * Connects. The signal closes the connection whenever it is aborted, and so does a link that has died in silence; both
 * reject what is under way. Rejects with `config-invalid` where the url says another flavour than the server is.
 */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<Connected> {
  const { socket, ...connected } = await connectUnwatched(options, signal);
  const { session } = connected;
  const endWatch = watchLink({
    socket,
    isAtWork: async () => await isSessionAtWork(options, session),
    onAnswered: (listener) => session.onAnswered(listener),
  });
  return {
    ...connected,
    [Symbol.asyncDispose]: async () => {
      endWatch();
      await connected[Symbol.asyncDispose]();
    },
  };
}

/** Asks over another connection; `connection-lost` also when that takes too long. */
async function isSessionAtWork(options: ConnectOptions, { id }: Session): Promise<boolean> {
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  try {
    await using other = await connectUnwatched(options, timeout);
    const [row] = await other.session.query(
      `select command as c from information_schema.processlist where id = ${id}`,
    );
    return row !== undefined && row["c"] !== "Sleep";
  } catch (error) {
    const { place } = targetOf(options.url);
    if (timeout.aborted) throw new ReplicationError("connection-lost", `${place} does not answer`);
    throw toReplicationError(error, place);
  }
}

/** With the socket that its statements go through. */
type Unwatched = Connected & { readonly socket: Socket };

/** Without TLS, where the url lets that be, on a server that has none. */
async function connectUnwatched(options: ConnectOptions, signal: AbortSignal): Promise<Unwatched> {
  const target = targetOf(options.url);
  const folder = options.folder ?? process.cwd();
  const ssl = target.tls.mode === "DISABLED" ? null : await sslOptions(target.tls, folder, target.place);
  try {
    return await connectOnce(target, options, ssl, signal);
  } catch (error) {
    const hasNoTls = error instanceof Error && "code" in error && error.code === "HANDSHAKE_NO_SSL_SUPPORT";
    signal.throwIfAborted();
    if (!hasNoTls || target.tls.mode !== "PREFERRED") throw toReplicationError(error, target.place);
  }
  try {
    return await connectOnce(target, options, null, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw toReplicationError(error, target.place);
  }
}

async function connectOnce(
  target: Target,
  options: ConnectOptions,
  ssl: SslOptions | null,
  signal: AbortSignal,
): Promise<Unwatched> {
  signal.throwIfAborted();
  const socket = openSocket(target);
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const connection = createConnection(driverOptions(target, socket, ssl, options));
    const lost = lostSignal(connection, socket, target.place);
    await handshake(connection);
    const session = new Session(connection, socket);
    const server = await readServer(session);
    requireFlavour(target, server);
    const { settings = {}, isClient = false } = options;
    await session.run(isClient ? clientStatement(settings) : pinStatement(server, settings));
    return {
      socket: socketOf(connection, socket),
      session,
      server,
      account: accountOf(target, ssl),
      place: target.place,
      lost,
      [Symbol.asyncDispose]: async () => {
        signal.removeEventListener("abort", abort);
        await end(connection, socket);
      },
    };
  } catch (error) {
    signal.removeEventListener("abort", abort);
    socket.destroy();
    throw error;
  }
}

/** Of our own, so that an abort can close it at any moment. */
function openSocket({ host, port }: Target): Socket {
  const socket = new Socket();
  socket.on("error", () => undefined); // The driver hears it, too.
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
  return socket.connect(port, host);
}

function accountOf({ host, port, user, password }: Target, ssl: SslOptions | null): Account {
  return { host, port, user, password, ...(ssl === null ? {} : { ssl: { ...ssl } }) };
}

function driverOptions(
  target: Target,
  socket: Socket,
  ssl: SslOptions | null,
  { isClient = false, loads = false, isAnywhere = false }: ConnectOptions,
): ConnectionOptions {
  const database = isAnywhere ? null : target.database;
  // Left to itself the driver looks for placeholders in every statement, however long: ours have none.
  const queryFormat = (sql: string): string => sql;
  const ours = { charset: "UTF8MB4_BIN", multipleStatements: true, queryFormat };
  return {
    ...accountOf(target, ssl),
    ...(database === null ? {} : { database }),
    stream: socket,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(isClient ? {} : ours),
    // By LOAD DATA LOCAL a server can ask for any file: the driver has none to give but what a statement brings with it.
    // Matched rows are counted, not changed ones.
    flags: [loads ? "LOCAL_FILES" : "-LOCAL_FILES", "FOUND_ROWS"],
  };
}

/** The driver puts TLS around the one that it was given; what is counted there is what was said. */
function socketOf(connection: Connection, given: Socket): Socket {
  return "stream" in connection && connection.stream instanceof Socket ? connection.stream : given;
}

async function handshake(connection: Connection): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.once("error", reject);
    connection.once("connect", () => {
      connection.off("error", reject);
      resolve();
    });
  });
}

function lostSignal(connection: Connection, socket: Socket, place: string): AbortSignal {
  const lost = new AbortController();
  connection.on("error", () => undefined); // A lost idle connection shows at the next query.
  socket.once("close", () =>
    lost.abort(
      new ReplicationError("connection-lost", `${place} closed the connection`, {
        fix: "start the server or mend the network; this is tried again until it works",
      }),
    ),
  );
  return lost.signal;
}

function requireFlavour({ flavour, place }: Target, server: Server): void {
  if (flavour === server.flavour) return;
  throw new ReplicationError("config-invalid", `${place} is ${server.label}, and not ${flavour}`, {
    fix: `use engine ${server.flavour}, and a url that begins with ${server.flavour}://`,
  });
}

function pinStatement(server: Server, settings: Readonly<Record<string, string>>): string {
  const all = { ...PINNED_SETTINGS, ...settings };
  const pairs = Object.entries(all).map(([name, value]) => {
    const known = server.flavour === "mariadb" ? (OLD_NAMES[name] ?? name) : name;
    return `session ${known} = ${value}`;
  });
  const noTimeout = server.flavour === "mariadb" ? "max_statement_time" : "max_execution_time";
  return `set names utf8mb4 collate utf8mb4_bin; set ${pairs.join(", ")}, session ${noTimeout} = 0`;
}

/** The driver puts a backslash before a quote of a value, whatever the server takes it for. */
const QUOTED_BY_BACKSLASHES = "session sql_mode = replace(@@session.sql_mode, 'NO_BACKSLASH_ESCAPES', '')";

function clientStatement(settings: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(settings).map(([name, value]) => `session ${name} = ${value}`);
  return `set ${["session autocommit = 1", QUOTED_BY_BACKSLASHES, ...pairs].join(", ")}`;
}

async function end(connection: Connection, socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, END_TIMEOUT_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    if (socket.destroyed) resolve();
    else connection.end();
  });
  socket.destroy();
}

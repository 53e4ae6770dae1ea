import { homedir } from "node:os";
import { ReplicationError } from "@lockstep/core";
import { Client, type ClientConfig } from "pg";
import { takeTlsSettings, type TlsSettings } from "./tls-settings.ts";

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
  jit: "off", // Compiling a query of the catalog takes seconds, and running it does not (measured).
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

export interface ConnectOptions {
  /** As libpq has it; its `options` are kept, ours come after. */
  readonly url: string;
  /** The url's paths are relative to it; default: the working directory. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** A walsender connection that also takes SQL. */
  readonly isReplication?: boolean;
  /** Default: `owner`. */
  readonly role?: SessionRole;
}

type ReplicationClientConfig = ClientConfig & { replication?: "database"; pipeline?: boolean };

/** Where and how to connect. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** `host:port/database`, for messages. */
  readonly place: string;
  readonly folder: string;
  readonly home: string;
  readonly isUnixSocket: boolean;
  readonly tls: TlsSettings;
  /** For `pg`, without TLS: the link has it already. */
  readonly config: ReplicationClientConfig;
}

/** Throws `config-invalid` for a malformed URL, without showing it (S1). */
export function targetOf(options: ConnectOptions): Target {
  const url = parseUrl(options.url);
  const { searchParams } = url;
  const host = searchParams.get("host") ?? (url.hostname === "" ? "localhost" : url.hostname);
  const place = `${decodeURIComponent(host)}:${url.port === "" ? "5432" : url.port}${url.pathname}`;
  const tls = takeTlsSettings(searchParams, process.env, place);
  const config = clientConfig(url, options);
  const { host: address, port } = new Client(config); // Which looks into the environment, too.
  return {
    host: address,
    port,
    place,
    folder: options.folder ?? process.cwd(),
    home: homedir(),
    isUnixSocket: address.startsWith("/"),
    tls,
    config,
  };
}

function clientConfig(url: URL, options: ConnectOptions): ReplicationClientConfig {
  const given = url.searchParams.get("options") ?? "";
  url.searchParams.delete("options");
  const isClient = options.role === "client";
  const settings = Object.entries({ ...(isClient ? {} : PINNED_SETTINGS), ...options.settings });
  const ours = settings.map(([name, value]) => `-c ${name}=${value}`).join(" ");
  return {
    connectionString: url.toString(),
    ssl: false,
    sslnegotiation: "postgres", // Else `pg` would ask the environment.
    application_name: applicationName(options.pipeline, options.role),
    options: `${given} ${ours}`.trim(),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(isClient ? { pipeline: true } : {}),
    ...(options.isReplication === true ? { replication: "database" } : {}),
  };
}

/**
 * A run's own session; one that copies beside it; one of a command that a person gives; one that an application
 * uses, with its role's settings, and statements that are sent before the answer to the one before.
 */
export type SessionRole = "owner" | "copy" | "command" | "client";

/** By which sessions of a pipeline are told from others. */
export function applicationName(pipeline: string, role: SessionRole = "owner"): string {
  return `lockstep_${pipeline}${role === "owner" ? "" : ` ${role}`}`;
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    // A password with a / ends the host too early: what follows, and every message about it, would hold the rest.
    const isTorn = url.pathname.includes("@") || (url.username === "" && /@/.test(url.search + url.hash));
    if (!isTorn && (url.protocol === "postgres:" || url.protocol === "postgresql:")) return url;
  } catch {
    // Said below, without the text: it may hold a password.
  }
  throw new ReplicationError("config-invalid", "a url of engine postgres is malformed", {
    fix: "write it as postgres://user:password@host:5432/database, special characters of the password percent-encoded (/ is %2F, @ is %40, : is %3A)",
  });
}

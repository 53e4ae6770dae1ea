import { ReplicationError, tlsFailure, type ErrorCode } from "@lockstep/core";
import { TLS_NAMES } from "./link/tls-settings.ts";

/**
 * What a server said of a statement. The driver's own error holds the statement, and so rows (S1); the message may
 * hold a value, too.
 */
export class ServerError extends Error {
  /** The server's number; the same on both flavours for what both know. */
  readonly number: number;
  readonly sqlState: string;

  constructor(message: string, number: number, sqlState: string) {
    super(message);
    this.name = "ServerError";
    this.number = number;
    this.sqlState = sqlState;
  }
}

/** Takes what a server said out of what the driver throws; anything else comes back as it is. */
export function serverErrorOf(error: unknown): unknown {
  if (!(error instanceof Error) || !("errno" in error) || !("sqlState" in error)) return error;
  const { errno, sqlState, message } = error;
  if (typeof errno !== "number" || typeof sqlState !== "string") return error;
  return new ServerError(message, errno, sqlState);
}

/** The server's number for what it said, or null. */
export function numberOf(error: unknown): number | null {
  return error instanceof ServerError ? error.number : null;
}

/** Says: not now. By number: 1205 a lock, 1213 a deadlock, 1290 and 1836 read-only, 1317 a statement that was ended. */
const NOT_NOW = [
  1021, 1037, 1038, 1040, 1041, 1053, 1114, 1129, 1203, 1205, 1206, 1213, 1226, 1290, 1317, 1637, 1792, 1836,
  1969, 3024, 3032,
];
/** The session was ended, by somebody or for being silent; the server knows it before the link does. */
const ENDED = [1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927, 3169, 4031];
const NO_ENTRY = [1045, 1130, 1251, 1396, 1524, 1698, 1820, 1862, 3118, 4151];
const NO_RIGHT = [1044, 1142, 1143, 1227, 1345, 1370, 1419];
/** It wants TLS for this user. */
const TLS_WANTED = 3159;
const NO_DATABASE = 1049;
/** It takes only links that are compressed; ours never is: over one the server does not hear whom commits wait for. */
const COMPRESSION_WANTED = 3922;
const LOCK_WAIT = 1205;
/** Nor the database of it. */
const NO_TABLE = [1146, NO_DATABASE];
/** 1054 no such column, 1412 its definition changed. */
const TABLE_CHANGED = [1054, 1412, ...NO_TABLE];

const LOST =
  /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|PROTOCOL_CONNECTION_LOST|ERR_STREAM_DESTROYED)/;
const LOST_MESSAGE = /closed state|Connection lost|connection is in closed state|socket has been ended/i;

/** Whether somebody else held what the statement needed, for as long as it would wait. */
export function isLockWait(error: unknown): boolean {
  return error instanceof ServerError && error.number === LOCK_WAIT;
}

export function isRightMissing(error: unknown): boolean {
  return error instanceof ServerError && NO_RIGHT.includes(error.number);
}

/** Whether a table that a statement names is not there. */
export function isNoTable(error: unknown): boolean {
  return error instanceof ServerError && NO_TABLE.includes(error.number);
}

/** Whether a table is not, or no longer, as the session's view has it. */
export function isTableChanged(error: unknown): boolean {
  return error instanceof ServerError && TABLE_CHANGED.includes(error.number);
}

/** Sorts what a connection throws; what it does not know comes back as it is. Never with a password (S1). */
export function toReplicationError(thrown: unknown, where: string): unknown {
  const error = serverErrorOf(thrown);
  if (error instanceof ReplicationError || !(error instanceof Error)) return error;
  if (error instanceof ServerError) {
    const known = knownCode(error.number);
    if (known === null) return error;
    const fix = fixFor(known, error.number, where);
    return new ReplicationError(known, `${where}: ${error.message}`, { cause: error, fix });
  }
  const sorted = withTlsCode(error);
  const tls = tlsFailure(sorted, where, TLS_NAMES);
  if (tls !== null) return tls;
  const code = "code" in sorted && typeof sorted.code === "string" ? sorted.code : "";
  if (code === "HANDSHAKE_NO_SSL_SUPPORT") {
    const fix = "give the server a certificate (ssl_cert, ssl_key), or use ssl-mode=PREFERRED in the url";
    return new ReplicationError("tls-failed", `${where}: the server takes no TLS, and the url asks for it`, {
      fix,
    });
  }
  if (!LOST.test(code) && !LOST_MESSAGE.test(error.message)) return error;
  return new ReplicationError("connection-lost", `${where} cannot be reached: ${error.message || code}`, {
    fix: "start the server or mend the network; this is tried again until it works",
  });
}

function knownCode(number: number): ErrorCode | null {
  if (ENDED.includes(number)) return "connection-lost";
  if (NOT_NOW.includes(number)) return "server-unavailable";
  if (NO_ENTRY.includes(number)) return "authentication-failed";
  if (NO_RIGHT.includes(number)) return "permission-denied";
  if (number === TLS_WANTED) return "tls-failed";
  return number === NO_DATABASE || number === COMPRESSION_WANTED ? "setup-incomplete" : null;
}

/** What a person can do about what would pass only by itself. */
const WAIT_FIXES: Readonly<Record<number, string>> = {
  1021: "free space on the server's disk; ",
  1040: "raise max_connections there, or close other connections; ",
  1114: "free space on the server's disk, or raise the limit of its tables; ",
  1129: "run flush hosts there; ",
  1203: "raise max_user_connections there, or close other connections; ",
  1226: "raise the limit that the message names; ",
  1290: "make the server writable (set global read_only = off; super_read_only, too); ",
  1792: "make the server writable; ",
  1836: "make the server writable; ",
};

function fixFor(code: ErrorCode, number: number, where: string): string {
  switch (code) {
    case "authentication-failed":
      return `correct user or password in the url of ${where}, or the account on the server`;
    case "permission-denied":
      return "grant the user what the message names";
    case "tls-failed":
      return "use ssl-mode=REQUIRED, or stronger, in the url";
    case "setup-incomplete":
      if (number === COMPRESSION_WANTED)
        return "let the server take links that are not compressed: set persist protocol_compression_algorithms = 'zlib,zstd,uncompressed'";
      return "create the database, or correct its name in the url";
    default:
      return `${WAIT_FIXES[number] ?? ""}it is tried again until it works`;
  }
}

/** OpenSSL's words for what Node has codes for, which the driver overwrites. */
const CODES: readonly (readonly [RegExp, string])[] = [
  [/has expired/, "CERT_HAS_EXPIRED"],
  [/not yet valid/, "CERT_NOT_YET_VALID"],
  [/self.signed certificate in certificate chain/, "SELF_SIGNED_CERT_IN_CHAIN"],
  [/self.signed certificate/, "DEPTH_ZERO_SELF_SIGNED_CERT"],
  [/unable to get/, "UNABLE_TO_GET_ISSUER_CERT"],
  [/unable to verify/, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
  [/altnames/, "ERR_TLS_CERT_ALTNAME_INVALID"],
  [/revoked/, "CERT_REVOKED"],
];

/** Of what neither a certificate nor OpenSSL is the reason: the link broke in the middle of the handshake. */
const LINK_LOST = "ECONNRESET";

function withTlsCode(error: Error): Error {
  if (!("code" in error) || error.code !== "HANDSHAKE_SSL_ERROR") return error;
  const known = CODES.find(([words]) => words.test(error.message))?.[1];
  const reason = "reason" in error && typeof error.reason === "string" ? error.reason : null;
  if (known === undefined && reason === null)
    return Object.assign(new Error(error.message), { code: LINK_LOST });
  const code = known ?? `ERR_SSL_${String(reason).toUpperCase().replaceAll(" ", "_")}`;
  return Object.assign(new Error(error.message), { code, reason: reason ?? error.message });
}

import { ReplicationError } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { tlsSettingsOf, type TlsSettings } from "./tls-settings.ts";

const DEFAULT_PORT = 3306;

/** Where and as whom to connect. */
export interface Target {
  /** What the url's scheme says the server is. */
  readonly flavour: Flavour;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Null: none is chosen. */
  readonly database: string | null;
  /** `host:port/database`, for messages. */
  readonly place: string;
  readonly tls: TlsSettings;
}

/** Throws `config-invalid` for a malformed url, without showing it (S1). */
export function targetOf(text: string): Target {
  const url = parseUrl(text);
  const flavour = url.protocol === "mariadb:" ? "mariadb" : "mysql";
  const host = url.hostname === "" ? "localhost" : decodeURIComponent(url.hostname);
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  const database = decodeURIComponent(url.pathname.slice(1));
  const place = `${host}:${port}${database === "" ? "" : `/${database}`}`;
  return {
    flavour,
    // The driver wants an IPv6 address without its brackets.
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: database === "" ? null : database,
    place,
    tls: tlsSettingsOf(url.searchParams, place),
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    // A password with a / ends the host too early: what follows, and every message about it, would hold the rest.
    const isTorn =
      url.pathname.includes("@") ||
      (url.username === "" && /@/.test(url.search + url.hash)) ||
      url.hash !== "";
    const isWhole = [url.hostname, url.username, url.password, url.pathname].every(isDecodable);
    if (!isTorn && isWhole && (url.protocol === "mysql:" || url.protocol === "mariadb:")) return url;
  } catch {
    // Said below, without the text: it may hold a password.
  }
  throw new ReplicationError("config-invalid", "a url of engine mysql or mariadb is malformed", {
    fix: "write it as mysql://user:password@host:3306/database (or mariadb://…), special characters of the password percent-encoded (/ is %2F, @ is %40, : is %3A, % is %25)",
  });
}

function isDecodable(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

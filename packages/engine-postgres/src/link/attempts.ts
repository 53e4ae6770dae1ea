import { readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { ConnectionOptions, SecureContext } from "node:tls";
import { secureContextOf, type Pem } from "@lockstep/core";
import { invalid, type TlsSettings } from "./tls-settings.ts";

/** One way to connect. */
export type Attempt =
  | { readonly kind: "plain" }
  | {
      readonly kind: "tls";
      readonly options: ConnectionOptions;
      readonly isDirect: boolean;
      /** Goes on without TLS on a server that has none. */
      readonly orPlain: boolean;
    };

export interface AttemptsOptions {
  /** Paths are relative to it. */
  readonly folder: string;
  /** `host:port/database`, for messages. */
  readonly place: string;
  readonly isUnixSocket: boolean;
  readonly home?: string;
}

/** In libpq's order: the next is for a server that refuses the one before. Files are read anew each time. */
export async function attemptsFor(settings: TlsSettings, options: AttemptsOptions): Promise<Attempt[]> {
  const { mode, isDirect } = settings;
  const plain: Attempt = { kind: "plain" };
  if (mode === "disable" || options.isUnixSocket) return [plain];
  const tls = await tlsOptions(settings, options);
  const attempt = { kind: "tls", options: tls, isDirect, orPlain: mode === "prefer" } as const;
  if (mode === "allow") return [plain, attempt];
  return mode === "prefer" ? [attempt, plain] : [attempt];
}

/** Whoever has root certificates wants the chain checked, whatever the mode: so does libpq. */
async function tlsOptions(settings: TlsSettings, options: AttemptsOptions): Promise<ConnectionOptions> {
  const files = new FileReader(options);
  const isSystem = settings.rootCert === "system";
  const ca = isSystem ? null : await files.read("sslrootcert", settings.rootCert, "root.crt");
  const isChecked = isSystem || ca !== null;
  if (!isChecked && settings.mode.startsWith("verify")) {
    throw invalid(
      options.place,
      `sslmode=${settings.mode} needs root certificates, and ${files.defaultPath("root.crt")} is not there`,
      "name a file with sslrootcert, or sslrootcert=system for the certificates of public authorities",
    );
  }
  const secureContext = await readContext(settings, options, files, ca);
  const isNameChecked = settings.mode === "verify-full";
  return {
    secureContext,
    rejectUnauthorized: isChecked,
    ...(isNameChecked ? {} : { checkServerIdentity: () => undefined }),
  };
}

async function readContext(
  settings: TlsSettings,
  { place }: AttemptsOptions,
  files: FileReader,
  ca: Pem | null,
): Promise<SecureContext> {
  const cert = await files.read("sslcert", settings.cert, "postgresql.crt");
  const key = cert === null ? null : await files.read("sslkey", settings.key, "postgresql.key");
  if (cert !== null && key === null) {
    const what = `${cert.name} has no key: ${files.defaultPath("postgresql.key")} is not there`;
    throw invalid(place, what, "name the key's file with sslkey");
  }
  if (key !== null) await files.requirePrivate(key, settings.key ?? files.defaultPath("postgresql.key"));
  const crl = ca === null ? null : await files.read("sslcrl", settings.crl, "root.crl");
  return secureContextOf({
    ca: ca ?? undefined,
    cert: cert ?? undefined,
    key: key ?? undefined,
    passphrase: settings.password ?? undefined,
    crl: crl ?? undefined,
    minVersion: settings.minVersion ?? undefined,
    maxVersion: settings.maxVersion ?? undefined,
  });
}

/** Anybody but the owner could use a key with more rights than these; root's may be shared with a group. */
const OTHERS_RIGHTS = 0o077;
const OTHERS_RIGHTS_OF_ROOTS = 0o037;

class FileReader {
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  defaultPath(name: string): string {
    return join(this.#options.home ?? homedir(), ".postgresql", name);
  }

  /** Null without a path when the default is not there. A file that is named must be. */
  async read(parameter: string, path: string | null, defaultName: string): Promise<Pem | null> {
    const file = path === null ? this.defaultPath(defaultName) : resolve(this.#options.folder, path);
    try {
      return { name: `${parameter}=${file}`, text: await readFile(file, "utf8") };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (path === null && (code === "ENOENT" || code === "ENOTDIR")) return null;
      const what = `${parameter}: file ${file} cannot be read (${code})`;
      throw invalid(this.#options.place, what, "create the file, or correct its path");
    }
  }

  async requirePrivate(key: Pem, path: string): Promise<void> {
    if (process.platform === "win32") return;
    const { mode, uid } = await stat(resolve(this.#options.folder, path));
    if ((mode & (uid === 0 ? OTHERS_RIGHTS_OF_ROOTS : OTHERS_RIGHTS)) === 0) return;
    const rights = (mode & 0o777).toString(8).padStart(4, "0");
    const what = `${key.name} may be read by others (mode ${rights})`;
    throw invalid(this.#options.place, what, "run: chmod 600 on it (or 640 where it is root's)");
  }
}

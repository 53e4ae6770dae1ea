import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ReplicationError, secureContextOf, type Pem, type TlsNames } from "@lockstep/core";
import type { SslOptions } from "mysql2";

const MODES = ["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] as const;
const PARAMETERS = ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "ssl-passphrase"];

type SslMode = (typeof MODES)[number];

export const TLS_NAMES: TlsNames = {
  rootCertificates: "ssl-ca in the url",
  ownCertificate: "ssl-cert and ssl-key in the url",
};

/** What a URL says of TLS: the parameters of MySQL's own client, by its rules. */
export interface TlsSettings {
  readonly mode: SslMode;
  /** Paths. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly passphrase: string | null;
}

/** Throws `config-invalid` for what is not known. `place` is `host:port/database`. */
export function tlsSettingsOf(parameters: URLSearchParams, place: string): TlsSettings {
  for (const name of parameters.keys()) {
    if (PARAMETERS.includes(name)) continue;
    if (/compress/i.test(name)) {
      const what = `${name}: the compressed protocol is not spoken, and commits that wait for us would hang over it`;
      throw invalid(place, what, `take ${name} out of the url`);
    }
    throw invalid(place, `${name} is not a parameter that is known`, `use ${PARAMETERS.join(", ")}`);
  }
  const given = parameters.get("ssl-mode")?.toUpperCase() ?? "";
  const mode = MODES.find((known) => known === (given === "" ? "PREFERRED" : given));
  if (mode === undefined)
    throw invalid(place, `ssl-mode=${given} is not known`, `use one of ${MODES.join(", ")}`);
  const text = (name: string): string | null => parameters.get(name) || null;
  const settings = {
    mode,
    ca: text("ssl-ca"),
    cert: text("ssl-cert"),
    key: text("ssl-key"),
    passphrase: text("ssl-passphrase"),
  };
  if ((settings.cert === null) !== (settings.key === null))
    throw invalid(place, "a certificate and its key go together", "give both ssl-cert and ssl-key");
  return settings;
}

/** For the driver; files are read anew each time. Without `ssl-ca` the system's authorities are asked. */
export async function sslOptions(settings: TlsSettings, folder: string, place: string): Promise<SslOptions> {
  const { mode, passphrase } = settings;
  const read = async (name: "ca" | "cert" | "key"): Promise<Pem | undefined> =>
    settings[name] === null
      ? undefined
      : await readPem(`ssl-${name}`, resolve(folder, settings[name]), place);
  const [ca, cert, key] = await Promise.all([read("ca"), read("cert"), read("key")]);
  secureContextOf({ ca, cert, key, passphrase: passphrase ?? undefined }); // Names the file that does not do.
  return {
    ...(ca === undefined ? {} : { ca: ca.text }),
    ...(cert === undefined ? {} : { cert: cert.text }),
    ...(key === undefined ? {} : { key: key.text }),
    ...(passphrase === null ? {} : { passphrase }),
    rejectUnauthorized: mode.startsWith("VERIFY"),
    verifyIdentity: mode === "VERIFY_IDENTITY",
  };
}

async function readPem(parameter: string, file: string, place: string): Promise<Pem> {
  try {
    return { name: `${parameter}=${file}`, text: await readFile(file, "utf8") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const what = `${parameter}: file ${file} cannot be read (${code})`;
    throw invalid(place, what, "create the file, or correct its path");
  }
}

function invalid(place: string, what: string, fix: string): ReplicationError {
  return new ReplicationError("config-invalid", `the url of ${place}: ${what}`, { fix });
}

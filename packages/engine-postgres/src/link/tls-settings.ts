import { ReplicationError } from "@lockstep/core";

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
const TLS_VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
const NEGOTIATIONS = ["postgres", "direct"] as const;

type SslMode = (typeof SSL_MODES)[number];
type TlsVersion = (typeof TLS_VERSIONS)[number];

/** What a URL, and the environment where it is silent, say of TLS: libpq's parameters by libpq's rules. */
export interface TlsSettings {
  readonly mode: SslMode;
  /** A path, or `system`. */
  readonly rootCert: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly password: string | null;
  readonly crl: string | null;
  readonly isDirect: boolean;
  readonly minVersion: TlsVersion | null;
  readonly maxVersion: TlsVersion | null;
}

/** In libpq's URLs and not here: with another value than these, they promise what we do not keep. */
const NOT_HERE: Readonly<Record<string, readonly string[]>> = {
  sslcrldir: [""],
  sslcertmode: ["", "allow"],
  sslsni: ["", "1"],
  sslkeylogfile: [""],
  requirepeer: [""],
  require_auth: [""],
  channel_binding: ["", "prefer", "disable"],
  gssencmode: ["", "prefer", "disable"],
};
const ELSEWHERE = ["sslcompression", "requiressl"];
const HERE = [
  "ssl",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "sslpassword",
  "sslcrl",
  "sslnegotiation",
  "ssl_min_protocol_version",
  "ssl_max_protocol_version",
];

/** Takes libpq's parameters of TLS out of a URL's. Throws `config-invalid` for a value that libpq would refuse. */
export function takeTlsSettings(
  parameters: URLSearchParams,
  environment: NodeJS.ProcessEnv,
  place: string,
): TlsSettings {
  const reader = new ParameterReader(parameters, environment, place);
  const rootCert = reader.text("sslrootcert");
  const fallback =
    rootCert === "system" ? "verify-full" : parameters.get("ssl") === "true" ? "require" : "prefer";
  const settings: TlsSettings = {
    mode: reader.oneOf("sslmode", SSL_MODES) ?? fallback,
    rootCert,
    cert: reader.text("sslcert"),
    key: reader.text("sslkey"),
    password: reader.text("sslpassword"),
    crl: reader.text("sslcrl"),
    isDirect: reader.oneOf("sslnegotiation", NEGOTIATIONS) === "direct",
    minVersion: reader.oneOf("ssl_min_protocol_version", TLS_VERSIONS),
    maxVersion: reader.oneOf("ssl_max_protocol_version", TLS_VERSIONS),
  };
  reader.refuseUnknown();
  for (const name of [...HERE, ...ELSEWHERE, ...Object.keys(NOT_HERE)]) parameters.delete(name);
  return checked(settings, place);
}

function checked(settings: TlsSettings, place: string): TlsSettings {
  const { mode, rootCert, isDirect } = settings;
  if (rootCert === "system" && mode !== "verify-full") {
    throw invalid(place, `sslmode=${mode} is too weak for sslrootcert=system`, "use sslmode=verify-full");
  }
  if (isDirect && ["disable", "allow", "prefer"].includes(mode)) {
    throw invalid(
      place,
      `sslmode=${mode} is too weak for sslnegotiation=direct`,
      "use sslmode=require or stronger",
    );
  }
  return settings;
}

class ParameterReader {
  readonly #parameters: URLSearchParams;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #place: string;

  constructor(parameters: URLSearchParams, environment: NodeJS.ProcessEnv, place: string) {
    this.#parameters = parameters;
    this.#environment = environment;
    this.#place = place;
  }

  /** An empty one counts as absent, as in libpq. The environment never names a passphrase. */
  text(name: string): string | null {
    const value =
      this.#parameters.get(name) ?? (name === "sslpassword" ? null : this.#environment[variableOf(name)]);
    return value === undefined || value === "" ? null : value;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | null {
    const value = this.text(name);
    if (value === null) return null;
    const known = values.find((one) => one === value);
    if (known === undefined) {
      const hint =
        value === "no-verify" ? "use sslmode=require, which checks no certificate without sslrootcert" : null;
      const label = this.#parameters.get(name) === null ? variableOf(name) : name;
      throw invalid(this.#place, `${label}=${value} is not known`, hint ?? `use one of ${values.join(", ")}`);
    }
    return known;
  }

  refuseUnknown(): void {
    for (const name of this.#parameters.keys()) {
      const harmless = NOT_HERE[name];
      if (harmless === undefined) {
        if (name.startsWith("ssl") && !HERE.includes(name) && !ELSEWHERE.includes(name)) {
          throw invalid(this.#place, `${name} is not a parameter that is known`, "correct its name");
        }
      } else if (!harmless.includes(this.#parameters.get(name) ?? "")) {
        throw invalid(this.#place, `${name} is not supported`, "leave it out");
      }
    }
  }
}

/** Where libpq looks when the url is silent. */
function variableOf(name: string): string {
  return `PG${name.toUpperCase().replaceAll("_", "")}`;
}

export function invalid(place: string, what: string, fix: string): ReplicationError {
  return new ReplicationError("config-invalid", `the url of ${place}: ${what}`, { fix });
}

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { ReplicationError, secureContextOf, type Pem } from "@lockstep/core";
import type { KafkaTlsConfig } from "./kafka-config.ts";

/** What `log.kafka.tls` says, with its files read. Throws `config-invalid`, which names the key and the file. */
export function kafkaTls(tls: KafkaTlsConfig, folder: string): ConnectionOptions {
  const read = (key: "ca" | "cert" | "key"): Pem | undefined =>
    readPem(`log.kafka.tls.${key}`, tls[key], folder);
  const { passphrase, serverName, rejectUnauthorized } = tls;
  const secureContext = secureContextOf({ ca: read("ca"), cert: read("cert"), key: read("key"), passphrase });
  return {
    secureContext,
    rejectUnauthorized,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** The value of a reference such as `${KAFKA_CA}` may be the text itself, which is never shown (S1). */
function readPem(name: string, value: string | undefined, folder: string): Pem | undefined {
  if (value === undefined) return undefined;
  if (value.includes("-----BEGIN ")) return { name, text: value };
  const file = resolve(folder, value);
  try {
    return { name: `${name}: file ${file}`, text: readFileSync(file, "utf8") };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new ReplicationError("config-invalid", `${name}: file ${file} cannot be read (${code})`, {
      fix: "create the file, or correct its path, which is relative to the configuration's folder",
    });
  }
}

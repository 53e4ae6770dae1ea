import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { certificateFolder, readCertificate } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { startKafka, type KafkaBroker, type KafkaListener } from "./kafka-broker.ts";

export const SASL_USER = "lockstep";
export const SASL_PASSWORD = "password-of-the-broker";

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/** What each listener demands; the name of a certificate is its own. */
const LISTENERS = {
  /** TLS, and a client's certificate by `ca`. */
  mutual: { protocol: "SSL", certificate: "server" },
  sasl: { protocol: "SASL_PLAINTEXT", certificate: null },
  /** Every mechanism but SCRAM-SHA-512. */
  saslTls: { protocol: "SASL_SSL", certificate: "server" },
  elsewhere: { protocol: "SSL", certificate: "elsewhere" },
  expired: { protocol: "SSL", certificate: "expired" },
} as const;

/** A broker that demands TLS, SASL, or both, besides its listener for everybody. */
export interface SecuredKafka extends AsyncDisposable {
  readonly broker: KafkaBroker;
  /** `host:port` of each. */
  readonly at: Readonly<Record<keyof typeof LISTENERS, string>>;
}

export async function startSecuredKafka(): Promise<SecuredKafka> {
  const folder = await certificateFolder();
  const settings: Record<string, string> = {
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": join(folder, "ca.crt"),
    "ssl.keystore.type": "PEM",
  };
  const listeners: KafkaListener[] = [];
  for (const [key, { protocol, certificate }] of Object.entries(LISTENERS)) {
    const name = key.toUpperCase();
    listeners.push({ name, protocol, port: await freePort() });
    const prefix = `listener.name.${name.toLowerCase()}`;
    if (certificate !== null) {
      const keystore = join(folder, `${key}.keystore.pem`);
      await writeFile(
        keystore,
        (await readCertificate("server.key")) + (await readCertificate(`${certificate}.crt`)),
      );
      settings[`${prefix}.ssl.keystore.location`] = keystore;
    }
    if (key === "mutual") settings[`${prefix}.ssl.client.auth`] = "required";
    if (protocol.startsWith("SASL")) Object.assign(settings, saslSettings(prefix, key === "saslTls"));
  }
  const scramUsers = MECHANISMS.slice(1).map(
    (name) => `${name}=[name=${SASL_USER},password=${SASL_PASSWORD}]`,
  );
  const broker = await startKafka({ settings, listeners, scramUsers });
  const at = { mutual: "", sasl: "", saslTls: "", elsewhere: "", expired: "" };
  Object.keys(LISTENERS).forEach((key, index) => {
    Object.assign(at, { [key]: `127.0.0.1:${listeners[index]?.port ?? 0}` });
  });
  return { broker, at, [Symbol.asyncDispose]: async () => await broker[Symbol.asyncDispose]() };
}

function saslSettings(prefix: string, isLimited: boolean): Record<string, string> {
  const module = "org.apache.kafka.common.security";
  const enabled = isLimited ? MECHANISMS.slice(0, -1) : MECHANISMS;
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: enabled.join(","),
    [`${prefix}.plain.sasl.jaas.config`]: `${module}.plain.PlainLoginModule required user_${SASL_USER}="${SASL_PASSWORD}";`,
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: `${module}.scram.ScramLoginModule required;`,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: `${module}.scram.ScramLoginModule required;`,
  };
}

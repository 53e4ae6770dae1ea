import type { ConnectionOptions } from "node:tls";
import { ReplicationError } from "@lockstep/core";
import { Kafka, logLevel } from "kafkajs";
import { protocolTypeOf } from "./kafka-errors.ts";
import { createCluster, Sockets } from "./kafkajs-internals.ts";

const TIMEOUT_MS = 2_000;
/** No broker has it, so that a listener with SASL says that it has not. Nothing secret is sent. */
const NO_MECHANISM = "lockstep-probe";

export interface ProbedConnection {
  readonly brokers: readonly string[];
  readonly tls: ConnectionOptions | undefined;
  readonly hasSasl: boolean;
}

/**
 * Listeners close a connection without a word when it does not speak their protocol. Finds out what they speak,
 * without a secret: `tls-failed` or `authentication-failed` where it is another than ours; null where it is not, or
 * nobody is there.
 */
export async function whyNoAnswer({
  brokers,
  tls,
  hasSasl,
}: ProbedConnection): Promise<ReplicationError | null> {
  const verdicts = brokers.map(async (broker) => {
    const asOurs = await probe(broker, tls);
    if (asOurs === "sasl" && !hasSasl) return asksForSasl(broker);
    if (asOurs !== null) return null;
    if (tls !== undefined) return (await probe(broker, undefined)) === null ? null : speaksNoTls(broker);
    return (await probe(broker, { rejectUnauthorized: false })) === null ? null : speaksTls(broker);
  });
  return (await Promise.all(verdicts)).find((verdict) => verdict !== null) ?? null;
}

/** What answers a handshake; null when nothing does, over this transport. */
async function probe(broker: string, tls: ConnectionOptions | undefined): Promise<"sasl" | "no sasl" | null> {
  const sockets = new Sockets();
  const kafka = new Kafka({
    clientId: "lockstep",
    brokers: [broker],
    ...(tls === undefined ? {} : { ssl: tls }),
    sasl: {
      mechanism: NO_MECHANISM,
      authenticationProvider: () => ({ authenticate: async () => await Promise.resolve() }),
    },
    connectionTimeout: TIMEOUT_MS,
    requestTimeout: TIMEOUT_MS,
    enforceRequestTimeout: true,
    retry: { retries: 0 },
    socketFactory: sockets.factory,
    logLevel: logLevel.NOTHING,
  });
  const cluster = createCluster(kafka);
  try {
    await cluster.connect();
    return "sasl";
  } catch (error) {
    const type = protocolTypeOf(error);
    if (type === "UNSUPPORTED_SASL_MECHANISM") return "sasl";
    if (type === "ILLEGAL_SASL_STATE" || (tls !== undefined && isAlert(error))) return "no sasl";
    return null;
  } finally {
    await cluster.disconnect().catch(() => undefined);
    sockets.destroyAll();
  }
}

/** Only who speaks TLS says by an alert what it wants, e.g. a certificate of ours. */
function isAlert(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string" && cause.code.includes("_ALERT_")) return true;
  }
  return false;
}

function asksForSasl(broker: string): ReplicationError {
  return new ReplicationError("authentication-failed", `broker ${broker}: its listener asks for SASL`, {
    fix: "set log.kafka.sasl (mechanism, username, password), or name the port of a listener without",
  });
}

function speaksTls(broker: string): ReplicationError {
  return new ReplicationError(
    "tls-failed",
    `broker ${broker}: its listener speaks TLS, and log.kafka.tls is not set`,
    {
      fix: "set log.kafka.tls (`tls: {}` trusts public authorities, `ca` names another), or name the port of a listener without TLS",
    },
  );
}

function speaksNoTls(broker: string): ReplicationError {
  return new ReplicationError(
    "tls-failed",
    `broker ${broker}: its listener speaks no TLS, and log.kafka.tls is set`,
    {
      fix: "name the port of a listener with TLS, or leave log.kafka.tls out",
    },
  );
}

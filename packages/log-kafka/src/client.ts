import type { ConnectionOptions } from "node:tls";
import { unreachable, type Logger } from "@lockstep/core";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import { mendRequestQueue, type Sockets } from "./kafkajs-internals.ts";

/** Short: who calls decides how long to go on trying. */
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const RETRIES = { initialRetryTime: 50, maxRetryTime: 500, retries: 2 };

export interface KafkaLogOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[];
  readonly pipeline: string;
  readonly logger: Logger;
  /** Empty: Node's own authorities, and no certificate of ours. */
  readonly tls?: ConnectionOptions | undefined;
  readonly sasl?: KafkaSasl | undefined;
}

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

export const topicOf = (pipeline: string): string => `lockstep.${pipeline}`;

/** The consumer group that shows a replica's progress. */
export const groupOf = (pipeline: string, replica: string): string => `lockstep.${pipeline}.${replica}`;

/** A client whose connections can be ended at once by way of `sockets`. */
export function createClient({ brokers, logger, tls, sasl }: KafkaLogOptions, sockets: Sockets): Kafka {
  mendRequestQueue();
  return new Kafka({
    clientId: "lockstep",
    brokers: [...brokers],
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    retry: RETRIES,
    socketFactory: sockets.factory,
    logLevel: logLevel.WARN,
    // Whatever matters reaches us as a rejection; kafkajs's own lines are for looking closer.
    logCreator: () => (entry) =>
      logger.debug({ kafkajs: entry.namespace, error: entry.log["error"] }, entry.log.message),
  });
}

function saslOptions({ mechanism, username, password }: KafkaSasl): SASLOptions {
  const account = { username, password };
  switch (mechanism) {
    case "plain":
      return { mechanism, ...account };
    case "scram-sha-256":
      return { mechanism, ...account };
    case "scram-sha-512":
      return { mechanism, ...account };
    default:
      return unreachable(mechanism);
  }
}

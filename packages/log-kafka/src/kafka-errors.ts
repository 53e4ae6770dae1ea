import { ReplicationError, tlsFailure, type ErrorCode, type TlsNames } from "@lockstep/core";

/** The protocol's name of an error, or null; of several at once the first. */
export function protocolTypeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ("type" in error && typeof error.type === "string") return error.type;
  for (const one of partsOf(error)) {
    const type = protocolTypeOf(one);
    if (type !== null) return type;
  }
  return error.cause instanceof Error && error.cause !== error ? protocolTypeOf(error.cause) : null;
}

/** What kafkajs gathers: of creating topics in `errors`, of deleting records in `partitions`. */
function partsOf(error: Error): unknown[] {
  const errors: unknown = "errors" in error ? error.errors : [];
  const partitions: unknown = "partitions" in error ? error.partitions : [];
  return [
    ...(Array.isArray(errors) ? errors : []),
    ...(Array.isArray(partitions) ? partitions : []).map((partition: unknown) =>
      typeof partition === "object" && partition !== null && "error" in partition ? partition.error : null,
    ),
  ];
}

const BY_TYPE: Readonly<Record<string, ErrorCode>> = {
  UNKNOWN_TOPIC_OR_PARTITION: "log-missing",
  TOPIC_AUTHORIZATION_FAILED: "permission-denied",
  GROUP_AUTHORIZATION_FAILED: "permission-denied",
  CLUSTER_AUTHORIZATION_FAILED: "permission-denied",
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "permission-denied",
  SASL_AUTHENTICATION_FAILED: "authentication-failed",
  UNSUPPORTED_SASL_MECHANISM: "authentication-failed",
  ILLEGAL_SASL_STATE: "authentication-failed",
};

const FIXES: Readonly<Partial<Record<ErrorCode, string>>> = {
  "log-missing": "restore the topic; if it is lost, remove the pipeline and start it anew",
  "permission-denied": "grant the client what the message names (kafka-acls)",
  "authentication-failed": "correct username and password of log.kafka.sasl, or the user on the broker",
  "log-unavailable": "start the broker or mend the network; this is tried again until it works",
};

/** More exact than what its code says. */
const FIXES_BY_TYPE: Readonly<Record<string, string>> = {
  UNSUPPORTED_SASL_MECHANISM:
    "set log.kafka.sasl.mechanism to one that the listener has (sasl.enabled.mechanisms)",
  ILLEGAL_SASL_STATE:
    "leave log.kafka.sasl out, for this listener asks for none, or name the port of one that does",
  KAFKA_STORAGE_ERROR:
    "make room on the broker's disk or mend it, and start the broker; this is tried again until it works",
};

const TLS_NAMES: TlsNames = {
  rootCertificates: "log.kafka.tls.ca",
  ownCertificate: "log.kafka.tls.cert and log.kafka.tls.key",
};

/** `host:port`, where kafkajs names it. */
function brokerOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ("broker" in error && typeof error.broker === "string") return error.broker;
  return error.cause === error ? null : brokerOf(error.cause);
}

/** Sorts what kafkajs throws. What is neither ours nor the protocol's refusal is: not reachable now. */
export function toLogError(error: unknown, topic: string): unknown {
  if (error instanceof ReplicationError || !(error instanceof Error)) return error;
  if (isBugOfOurs(error)) return error;
  const broker = brokerOf(error);
  const tls = tlsFailure(error, broker === null ? `topic ${topic}` : `broker ${broker}`, TLS_NAMES);
  if (tls !== null) return tls;
  const type = protocolTypeOf(error);
  const isAuthentication = error.name === "KafkaJSSASLAuthenticationError";
  const code = isAuthentication
    ? "authentication-failed"
    : ((type === null ? undefined : BY_TYPE[type]) ?? "log-unavailable");
  const fix = (type === null ? undefined : FIXES_BY_TYPE[type]) ?? FIXES[code];
  return new ReplicationError(code, `topic ${topic}: ${error.message}`, {
    cause: error,
    ...(fix === undefined ? {} : { fix }),
    fields: { topic },
  });
}

const FROM_KAFKAJS = /^\s+at .*[\\/]kafkajs[\\/]src[\\/]/m;

/**
 * kafkajs itself stumbles (a `TypeError` from within) when a connection goes while it waits for an answer:
 * that is the broker's doing. The same from our own code is a bug, which retrying would hide.
 */
function isBugOfOurs(error: Error): boolean {
  if (!(error instanceof TypeError || error instanceof RangeError)) return false;
  const [, thrownAt = ""] = (error.stack ?? "").split(/\n(?=\s+at )/);
  return !FROM_KAFKAJS.test(thrownAt);
}

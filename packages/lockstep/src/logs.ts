import { resolve } from "node:path";
import { createEmbeddedCheck, createEmbeddedLog, createRemovableEmbeddedLog } from "@lockstep/log-embedded";
import { createKafkaCheck, createKafkaLog, createRemovableKafkaLog } from "@lockstep/log-kafka";
import { ReplicationError, type EventLog, type LogCheck, type Logger, type Removable } from "@lockstep/core";
import type { Config } from "./config-schema.ts";
import { kafkaTls } from "./kafka-tls.ts";

/** Where event logs plug in: the only place that names them. Paths are relative to `folder`. */
export function createLog({ log, pipeline }: Config, folder: string, logger: Logger): EventLog {
  if (log.kafka !== undefined) {
    const { brokers, tls, sasl } = log.kafka;
    if (tls?.rejectUnauthorized === false) logger.warn({}, "brokers' certificates are not checked");
    if (tls === undefined && sasl?.mechanism === "plain") {
      logger.warn(
        {},
        "the broker's password goes over the network in the clear: set log.kafka.tls, or use SCRAM",
      );
    }
    return createKafkaLog({ brokers, sasl, tls: tls && kafkaTls(tls, folder), pipeline, logger });
  }
  if (log.embedded === undefined) throw new ReplicationError("config-invalid", "no event log is named");
  const { path, maxBytes } = log.embedded;
  return createEmbeddedLog({ path: resolve(folder, path), pipeline, maxBytes, logger });
}

export function createLogCheck({ log, pipeline }: Config, folder: string, logger: Logger): LogCheck {
  if (log.kafka !== undefined) {
    const { brokers, tls, sasl } = log.kafka;
    return createKafkaCheck({ brokers, sasl, tls: tls && kafkaTls(tls, folder), pipeline, logger });
  }
  if (log.embedded === undefined) throw new ReplicationError("config-invalid", "no event log is named");
  const { path, maxBytes } = log.embedded;
  return createEmbeddedCheck({ path: resolve(folder, path), pipeline, maxBytes });
}

/** What the pipeline, or only a replica of it, has in the event log of its own; null where that is nothing. */
export function createRemovableLog(
  { log, pipeline, replicas }: Config,
  {
    folder,
    replica,
    logger,
  }: { readonly folder: string; readonly replica: string | null; readonly logger: Logger },
): Removable | null {
  if (log.kafka !== undefined) {
    const { brokers, tls, sasl } = log.kafka;
    const names = replica === null ? replicas.map(({ name }) => name) : [replica];
    const connection = { brokers, sasl, tls: tls && kafkaTls(tls, folder), pipeline, logger };
    return createRemovableKafkaLog({ ...connection, replicas: names, keepsTopic: replica !== null });
  }
  if (log.embedded === undefined || replica !== null) return null;
  return createRemovableEmbeddedLog({ path: resolve(folder, log.embedded.path), pipeline });
}

import { resolve } from "node:path";
import { ReplicationError, type EventLog, type LogCheck, type Logger, type Removable } from "@lockstep/core";
import type { KafkaLogOptions } from "@lockstep/log-kafka";
import type { Config } from "./config-schema.ts";
import type { KafkaLogConfig } from "./kafka-config.ts";
import { kafkaTls } from "./kafka-tls.ts";

/** Where event logs plug in: the only place that names them, and only the one in use is loaded. */
const kafka = async (): Promise<typeof import("@lockstep/log-kafka")> => await import("@lockstep/log-kafka");
const embedded = async (): Promise<typeof import("@lockstep/log-embedded")> =>
  await import("@lockstep/log-embedded");

/** Paths are relative to `folder`. */
export async function createLog(
  { log, pipeline }: Config,
  folder: string,
  logger: Logger,
): Promise<EventLog> {
  if (log.kafka !== undefined) {
    const { tls, sasl } = log.kafka;
    if (tls?.rejectUnauthorized === false) logger.warn({}, "brokers' certificates are not checked");
    if (tls === undefined && sasl?.mechanism === "plain") {
      logger.warn(
        {},
        "the broker's password goes over the network in the clear: set log.kafka.tls, or use SCRAM",
      );
    }
    return (await kafka()).createKafkaLog({ ...connectionOf(log.kafka, folder), pipeline, logger });
  }
  if (log.embedded === undefined) throw new ReplicationError("config-invalid", "no event log is named");
  const { path, maxBytes } = log.embedded;
  return (await embedded()).createEmbeddedLog({ path: resolve(folder, path), pipeline, maxBytes, logger });
}

export async function createLogCheck(
  { log, pipeline }: Config,
  folder: string,
  logger: Logger,
): Promise<LogCheck> {
  if (log.kafka !== undefined)
    return (await kafka()).createKafkaCheck({ ...connectionOf(log.kafka, folder), pipeline, logger });
  if (log.embedded === undefined) throw new ReplicationError("config-invalid", "no event log is named");
  const { path, maxBytes } = log.embedded;
  return (await embedded()).createEmbeddedCheck({ path: resolve(folder, path), pipeline, maxBytes });
}

/** What the pipeline, or only a replica of it, has in the event log of its own; null where that is nothing. */
export async function createRemovableLog(
  { log, pipeline, replicas }: Config,
  {
    folder,
    replica,
    logger,
  }: { readonly folder: string; readonly replica: string | null; readonly logger: Logger },
): Promise<Removable | null> {
  if (log.kafka !== undefined) {
    const names = replica === null ? replicas.map(({ name }) => name) : [replica];
    return (await kafka()).createRemovableKafkaLog({
      ...connectionOf(log.kafka, folder),
      pipeline,
      logger,
      replicas: names,
      keepsTopic: replica !== null,
    });
  }
  if (log.embedded === undefined || replica !== null) return null;
  return (await embedded()).createRemovableEmbeddedLog({
    path: resolve(folder, log.embedded.path),
    pipeline,
  });
}

function connectionOf(
  { brokers, tls, sasl }: KafkaLogConfig,
  folder: string,
): Pick<KafkaLogOptions, "brokers" | "tls" | "sasl"> {
  return { brokers, sasl, tls: tls && kafkaTls(tls, folder) };
}

import { createKafkaLog } from "@lockstep/log-kafka";
import type { EventLog, Logger } from "@lockstep/core";
import type { Config } from "./config-schema.ts";

/** Where event logs plug in: the only place that names them. */
export function createLog(config: Config, logger: Logger): EventLog {
  return createKafkaLog({ brokers: config.log.kafka.brokers, pipeline: config.pipeline, logger });
}

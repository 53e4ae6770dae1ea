export type { KafkaLogOptions } from "./client.ts";
export { createKafkaLog } from "./kafka-log.ts";
export { createRemovableKafkaLog } from "./removal.ts";
export { createKafkaCheck } from "./log-check.ts";

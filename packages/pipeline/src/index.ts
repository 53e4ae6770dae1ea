export { Pipeline, type PipelineOptions } from "./pipeline.ts";
export { PUBLISHER_TIMES, type PublisherTimes } from "./publisher.ts";
export type { PipelineStatus, ReplicaStatus } from "./status.ts";

export type { CopyStatus } from "./copy-progress.ts";
export { Pipeline, type CopyLimits, type PipelineOptions } from "./pipeline.ts";
export { PUBLISHER_TIMES, type PublisherTimes } from "./publisher.ts";
export type { PipelineStatus, ReplicaStatus } from "./status.ts";

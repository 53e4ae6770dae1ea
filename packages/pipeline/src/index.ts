export type { CopyStatus } from "./copy-progress.ts";
export { Pipeline, type CopyLimits, type PipelineOptions } from "./pipeline.ts";
export { PUBLISHER_TIMES, type PublisherTimes } from "./publisher.ts";
export { STAGES, type Stage, type StageObserver } from "./stage.ts";
export type { PipelineStatus, ReplicaStatus, SourceStatus } from "./status.ts";

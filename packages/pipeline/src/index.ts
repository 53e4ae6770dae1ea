export type { CopyStatus } from "./copy-progress.ts";
export { Pipeline } from "./pipeline.ts";
export type { CopyLimits, PipelineOptions } from "./pipeline-options.ts";
export { PUBLISHER_TIMES, type PublisherTimes } from "./publisher-options.ts";
export { STAGES, type Stage, type StageObserver } from "./stage.ts";
export type { QuorumRule } from "./quorum-rule.ts";
export type { PipelineStatus, QuorumStatus, ReplicaStatus, SourceStatus } from "./status.ts";
export type { WaitOptions } from "./waiting.ts";

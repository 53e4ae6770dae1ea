import type { EventLog, Failpoints, Logger, Sink, Source } from "@lockstep/core";
import type { PublisherTimes } from "./publisher-options.ts";
import type { QuorumRule } from "./quorum-rule.ts";
import type { StageObserver } from "./stage.ts";
import type { PipelineStatus } from "./status.ts";

export interface PipelineOptions {
  readonly source: Source;
  readonly sinks: readonly Sink[];
  /** Replicas of these that are left as they are until they are enabled; default: none. */
  readonly disabled?: readonly string[];
  readonly log: EventLog;
  /** How many of the sinks' replicas must have a transaction before it counts as replicated. */
  readonly quorum: QuorumRule;
  readonly logger: Logger;
  /** A fresh id: of a run, of an epoch. */
  readonly newId: () => string;
  readonly failpoints?: Failpoints | undefined;
  readonly times?: PublisherTimes;
  /** How long the log keeps what replicas may still need. */
  readonly retentionMs: number;
  /** And how much of it at most; null for no limit. */
  readonly retentionBytes: number | null;
  readonly copies: CopyLimits;
  /** For measuring. */
  readonly onStage?: StageObserver;
  /** Told whenever the state is another one. */
  readonly onState?: (state: PipelineStatus["state"]) => void;
}

/** How much of the machines copying may take. */
export interface CopyLimits {
  /** How many sessions of a replica copy at the same time. */
  readonly parallel: number;
  /** Of all replicas together; null: no limit. */
  readonly bytesPerSecond: number | null;
}

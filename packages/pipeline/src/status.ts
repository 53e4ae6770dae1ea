import type { GateStatus, Offset, Position, RetainedLog } from "@lockstep/core";
import type { CopyStatus } from "./copy-progress.ts";
import type { QuorumRule } from "./quorum-rule.ts";
import type { LeftOut } from "./replica-observer.ts";

/** How a pipeline is, in this process; what was counted, since the process began. */
export interface PipelineStatus {
  /** `standby`: another run holds the source. `publishing`: this run does, also while the source is away. */
  readonly state: "starting" | "standby" | "publishing";
  readonly quorum: QuorumStatus;
  readonly source: SourceStatus;
  readonly replicas: Readonly<Record<string, ReplicaStatus>>;
}

export interface QuorumStatus {
  readonly mode: QuorumRule["mode"];
  /** How many replicas must have a transaction, … */
  readonly needed: number;
  /** … of how many: those that are enabled and not known to be copied. */
  readonly of: number;
  /** They have everything through here; with none needed, the topic has. Null before that is known. */
  readonly position: Position | null;
}

export interface SourceStatus {
  /** Its log is streamed. */
  readonly isConnected: boolean;
  /** Everything through here is durable in the topic; null before this run publishes. */
  readonly position: Position | null;
  readonly transactions: number;
  readonly events: number;
  readonly records: number;
  /** As last heard. */
  readonly retained: RetainedLog | null;
  /** Null while this run does not stream, or where commits cannot wait. */
  readonly gate: GateStatus | null;
  /** What keeps this run from publishing, also the event log that is away or full; or null. */
  readonly error: unknown;
}

export interface ReplicaStatus {
  /**
   * `waiting`: there is no session with it. `copying` until its first copy has been passed: until then it shows no
   * whole transactions. `halted`: a person must mend something. `paused`: a person has said so.
   */
  readonly state: "waiting" | "copying" | "following" | "halted" | "paused";
  readonly isConnected: boolean;
  /** What is being copied; null while nothing is. */
  readonly copy: CopyStatus | null;
  readonly acked: Position | null;
  /** It has all that is in the topic through here. */
  readonly offset: Offset | null;
  /** The offset in its row. */
  readonly stored: Offset | null;
  /** How many entries of the topic it does not have; null when that is not known. */
  readonly queueSize: number | null;
  /** How old the oldest commit is that it does not have, by the source's clock; 0 when there is none, null: not known. */
  readonly lagMs: number | null;
  /** From commit to ack, in the last minute or before; null before the first. */
  readonly averageLagMs: number | null;
  readonly eventsProcessed: number;
  /** Changes that halted it. */
  readonly eventsFailed: number;
  readonly conflicts: number;
  /** What halted or last interrupted it; null when it has gone on since. */
  readonly error: unknown;
  /** Tables that came later and that it cannot be given by now, while it goes on with the others. */
  readonly leftOut: LeftOut | null;
}

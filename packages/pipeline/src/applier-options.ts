import type {
  ComparePositions,
  Epoch,
  EpochRef,
  EventLog,
  Failpoints,
  Logger,
  Offset,
  Position,
  Sink,
  Source,
} from "@lockstep/core";
import type { CopyStatus } from "./copy-progress.ts";
import type { Keeper } from "./kept-offsets.ts";
import type { LogTail } from "./log-tail.ts";
import type { Published } from "./published.ts";
import type { RateLimit } from "./rate-limit.ts";
import type { ReplicaObserver } from "./replica-observer.ts";

export interface ApplierOptions {
  readonly source: Source;
  readonly sink: Sink;
  readonly log: EventLog;
  readonly tail: LogTail;
  readonly epoch: Epoch;
  readonly compare: ComparePositions;
  /** The owner under which the replica is claimed. */
  readonly owner: string;
  readonly published: Published;
  readonly parallel: number;
  readonly limit: RateLimit;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  /** Aborted a little after `signal`: what is in hand may finish until then. */
  readonly hardSignal: AbortSignal;
  /** What must change on the replica before it goes on, which it then does by itself. */
  readonly onHalted: (error: unknown) => void;
  readonly onAcked: (reached: Reached, applied: Applied) => void;
  /** It was read to be in its first copy. */
  readonly onFirstCopy: () => void;
  readonly observer: ReplicaObserver;
  /** Null: nothing is copied any more. */
  readonly onCopying: (status: CopyStatus | null) => void;
  /** The topic must keep what lies from here on: `null` everything, `undefined` nothing for that keeper's sake. */
  readonly onKeep: (keeper: Keeper, from: Offset | null | undefined) => void;
  /** The replica waits for the topic to get there. */
  readonly onWaiting: (position: Position) => void;
}

/** How far a replica is. */
export interface Reached {
  readonly epoch: EpochRef;
  readonly position: Position;
  readonly offset: Offset;
  /** The offset that its row has: a restart reads on from there. */
  readonly stored: Offset;
  /** It shows whole transactions: its first copy has been passed. */
  readonly isWhole: boolean;
}

/** What was applied since the ack before. */
export interface Applied {
  readonly events: number;
  readonly conflicts: number;
  /** When the last transaction of it was committed; null when there is none. */
  readonly committedAtUs?: number | null;
}

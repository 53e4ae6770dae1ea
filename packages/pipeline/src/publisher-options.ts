import type {
  ComparePositions,
  Epoch,
  EventLog,
  Failpoints,
  Logger,
  Offset,
  Position,
  SourceSession,
  WrittenSelection,
} from "@lockstep/core";
import type { AppenderOptions } from "./appender.ts";
import type { ReachedPosition } from "./topic-history.ts";

export interface PublisherTimes {
  /** A position that moved without a transaction is recorded this often. */
  readonly idleMs: number;
  /** A sign of life while nothing moves. */
  readonly heartbeatMs: number;
  /** Brokers forget an idle producer after a day or a week: renew before. */
  readonly renewMs: number;
}

export const PUBLISHER_TIMES: PublisherTimes = {
  idleMs: 10_000,
  heartbeatMs: 3_600_000,
  renewMs: 86_400_000 / 2,
};

export interface PublisherOptions extends AppenderOptions {
  readonly session: SourceSession;
  /** The topic, to be read. */
  readonly topic: EventLog;
  readonly logger: Logger;
  readonly epoch: Epoch;
  readonly run: string;
  /** Offset of this publisher's `open`. */
  readonly open: Offset;
  /** Where the topic ends. */
  readonly reached: ReachedPosition;
  /** The topic may not be trimmed from here on. */
  readonly keepFrom: Offset;
  /** What the topic was and is written by, the latest last. */
  readonly selections: readonly WrittenSelection[];
  /** In a log of bounded size: a fresh `open` follows so many bytes, so that what lies before can be trimmed. */
  readonly reopenBytes: number | null;
  readonly compare: ComparePositions;
  readonly times: PublisherTimes;
  readonly failpoints: Failpoints | undefined;
  /** Everything through here is in the topic. */
  readonly onAppended: (position: Position) => void;
  /** Waited for between the appends of a backlog: what is taken from memory need not be read back. */
  readonly paced: (signal: AbortSignal) => Promise<void>;
}

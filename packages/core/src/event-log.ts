import type { EncodedRecord } from "./codec.ts";
import type { ReplicationError } from "./replication-error.ts";
import type { Offset } from "./offset.ts";

/**
 * One pipeline's ordered topic. Implementations carry bytes and headers; what they mean is the codec's and
 * the chain's. An unreachable log rejects with `log-unavailable`, an absent topic with `log-missing`.
 */
export interface EventLog extends AsyncDisposable {
  /**
   * Creates the topic or checks that the existing one keeps what is appended. Rejects with
   * `topic-misconfigured`, naming the setting and its fix. May be called again.
   */
  prepare(signal: AbortSignal): Promise<void>;

  /**
   * Takes over the right to append. From the new publisher's first append on, the log refuses every former
   * publisher, wherever it runs (F1). Call only while holding the source's lock.
   */
  openPublisher(signal: AbortSignal): Promise<LogPublisher>;

  /** The first entry still there and the offset the next append will get. */
  bounds(signal: AbortSignal): Promise<LogBounds>;

  /**
   * The entries from an offset on: resolves as soon as there is one, or empty after `maxWaitMs`. At least one
   * entry whatever its size, else up to `maxBytes`. Never a gap: rejects with `offset-out-of-range` when
   * `from` was trimmed or lies above the end.
   */
  read(request: ReadRequest, signal: AbortSignal): Promise<LogChunk>;

  /** The first entry appended at or after a time (milliseconds since 1970, by the log's clock), or the end. */
  offsetAt(timeMs: number, signal: AbortSignal): Promise<Offset>;

  /**
   * The first of the last entries that take no more than so many bytes together, by the log's own account; the
   * first there is when all of them do, the end when not even the last one does.
   */
  offsetOfLast(bytes: number, signal: AbortSignal): Promise<Offset>;

  /** Forgets every entry below an offset, for good; does nothing where it has forgotten them already. */
  trim(before: Offset, signal: AbortSignal): Promise<void>;

  /** How full the log is, from 0 to 1; null for one that is not bounded by itself. */
  usage(signal: AbortSignal): Promise<number | null>;

  /** Shows a replica's progress to the log's own tools. Nothing of ours reads it; a failure is no fault. */
  showProgress(replica: string, acked: Offset, signal: AbortSignal): Promise<void>;
}

/** The one that may append. */
export interface LogPublisher extends AsyncDisposable {
  /** Why the append in hand is not taken by now; null while none is, or nothing is known against it. */
  readonly obstacle: ReplicationError | null;

  /**
   * Resolves with the entry's offset once it is durable. One call at a time. A lost answer is retried inside
   * with the same sequence number until the log gives a certain one. Rejects with `publisher-fenced` when
   * another publisher took over, `append-uncertain` when certainty is gone: then start anew.
   */
  append(record: EncodedRecord, signal: AbortSignal): Promise<Offset>;

  /** Takes a fresh right to append before the log forgets an idle publisher. Not during an `append`. */
  renew(signal: AbortSignal): Promise<void>;
}

export interface LogBounds {
  readonly first: Offset;
  readonly next: Offset;
}

export interface ReadRequest {
  readonly from: Offset;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
}

export interface LogChunk {
  readonly entries: readonly LogEntry[];
  /** Where to read on: behind the last entry, or `from` when there was none. */
  readonly next: Offset;
}

/** One stored record, not decoded. */
export interface LogEntry extends EncodedRecord {
  readonly offset: Offset;
}

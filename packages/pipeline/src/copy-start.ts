import {
  decodeHeaders,
  decodeRecord,
  offset,
  type EpochRef,
  type EventLog,
  type LogEntry,
  type Offset,
  type Position,
  type Progress,
  type RecordHeaders,
} from "@lockstep/core";
import { lastOf } from "./topic-history.ts";

const PROBE_BYTES = 64 * 1024;
/** Commits that cross each other stand in the log a little out of the order of their times. */
const MARGIN_US = 10_000_000;

export interface CopyStartOptions {
  readonly epoch: EpochRef;
  /** The earliest commit that the copy can lack, by the source's clock; null where that is unknown. */
  readonly earliestUs: number | null;
  /** Where the topic ended before the copy's view was taken: a clock that was set back misleads no further. */
  readonly end: Offset;
}

/**
 * Where a copy's changes begin: behind the last record whose newest transaction was committed well before the
 * earliest commit that the copy can lack; where that is unknown, or older than all, at the beginning of a topic that
 * has the epoch's. Null: what the copy lacks may have been trimmed already. Commit times rise along a topic, give or
 * take the margin, so it is a binary search.
 */
export async function startOfCopy(
  log: EventLog,
  { epoch, earliestUs, end }: CopyStartOptions,
  signal: AbortSignal,
): Promise<Progress | null> {
  const { first } = await log.bounds(signal);
  let low: bigint = first;
  let high: bigint = end;
  let found: Found | null = null;
  while (earliestUs !== null && low < high) {
    const middle = (low + high) / 2n;
    const probe = await nextPositioned(log, epoch, offset(middle), offset(high), signal);
    if (probe !== null && lastCommitUs(probe.entry) < earliestUs - MARGIN_US) {
      found = probe;
      low = probe.entry.offset + 1n;
    } else high = middle;
  }
  found ??= await nextPositioned(log, epoch, first, end, signal);
  if (found === null) return null;
  const isBeginning = found.headers.kind === "epoch";
  const isProved = isBeginning || (earliestUs !== null && lastCommitUs(found.entry) < earliestUs - MARGIN_US);
  return isProved ? progressAt(found, epoch) : null;
}

/** The last record before `end` that has a position. */
export async function endOfTopic(
  log: EventLog,
  epoch: EpochRef,
  end: Offset,
  signal: AbortSignal,
): Promise<Progress | null> {
  return await startOfCopy(log, { epoch, earliestUs: Number.POSITIVE_INFINITY, end }, signal);
}

interface Found {
  readonly entry: LogEntry;
  readonly headers: RecordHeaders;
  readonly position: Position;
}

/** The first record of the epoch in [from, before) that has a position. */
async function nextPositioned(
  log: EventLog,
  epoch: EpochRef,
  from: Offset,
  before: Offset,
  signal: AbortSignal,
): Promise<Found | null> {
  for (let at = from; at < before;) {
    const chunk = await log.read({ from: at, maxBytes: PROBE_BYTES, maxWaitMs: 0 }, signal);
    if (chunk.entries.length === 0) return null;
    for (const entry of chunk.entries) {
      if (entry.offset >= before) return null;
      const headers = decodeHeaders(entry.headers);
      const { position } = headers;
      if (position !== null && headers.epoch?.id === epoch.id) return { entry, headers, position };
    }
    at = chunk.next;
  }
  return null;
}

/** Of the newest transaction at or below the record; before the first one: long ago. */
function lastCommitUs(entry: LogEntry): number {
  return lastOf(decodeRecord(entry).record)?.committedAtUs ?? Number.NEGATIVE_INFINITY;
}

function progressAt({ entry, headers, position }: Found, { number, id }: EpochRef): Progress {
  const { open, run } = headers;
  return { epoch: { number, id }, position, offset: entry.offset, open: open ?? entry.offset, run };
}

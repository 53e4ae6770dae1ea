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

/**
 * Where a copy's changes begin: behind the last record whose newest transaction was committed well before
 * `earliestUs`, the earliest commit that the copy can lack; at the topic's beginning where that is unknown. Commit
 * times rise along a topic, give or take the margin, so it is a binary search.
 */
export async function startOfCopy(
  log: EventLog,
  epoch: EpochRef,
  earliestUs: number | null,
  signal: AbortSignal,
): Promise<Progress> {
  const { first, next } = await log.bounds(signal);
  let low: bigint = first;
  let high: bigint = next;
  let found: Found | null = null;
  while (earliestUs !== null && low < high) {
    const middle = (low + high) / 2n;
    const probe = await nextPositioned(log, epoch, offset(middle), offset(high), signal);
    if (probe !== null && lastCommitUs(probe.entry) < earliestUs - MARGIN_US) {
      found = probe;
      low = probe.entry.offset + 1n;
    } else high = middle;
  }
  if (found !== null) return progressAt(found, epoch);
  const earliest = await nextPositioned(log, epoch, first, next, signal);
  if (earliest === null) throw new TypeError("a topic with an epoch has no record with a position");
  const { previous } = earliest.headers;
  // The first epoch's own record has nothing before it; else what comes first is applied too.
  return previous === null ? progressAt(earliest, epoch) : before(earliest, previous, epoch);
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

/** The offset is a hint that fits no record: it is found by its position. */
function before({ entry }: Found, previous: Position, { number, id }: EpochRef): Progress {
  return { epoch: { number, id }, position: previous, offset: entry.offset, open: entry.offset, run: "" };
}

import { decodeHeaders } from "./codec.ts";
import type { EpochRef } from "./epoch.ts";
import type { EventLog, LogEntry } from "./event-log.ts";
import { offset, type Offset } from "./offset.ts";
import type { ComparePositions, Position } from "./position.ts";
import type { RecordHeaders } from "./record.ts";

/** Small: a probe needs headers only, and the log returns one whole entry whatever its size. */
const PROBE_BYTES = 64 * 1024;

/** A point in the history of all reigns: compared by epoch number first. */
export interface HistoryPoint {
  readonly epoch: EpochRef;
  readonly position: Position;
}

/**
 * The offset to read from in order to go on behind `point`: the first record above it (or that record's
 * `begin`), or the log's end when there is none. A binary search over headers. What former publishers
 * appended late may lie out of order and mislead it; then every header is read once. The caller still
 * checks `previous` (A2).
 */
export async function find(
  log: Pick<EventLog, "bounds" | "read">,
  point: HistoryPoint,
  compare: ComparePositions,
  signal: AbortSignal,
): Promise<Offset> {
  const { first, next } = await log.bounds(signal);
  let low: bigint = first;
  let high: bigint = next;
  let found: Probe | null = null;
  while (low < high) {
    const middle = (low + high) / 2n;
    const probe = await nextPositioned(log, offset(middle), offset(high), signal);
    if (probe === null) high = middle;
    else if (isAbove(probe.headers, point, compare)) {
      found = probe;
      high = middle;
    } else low = probe.offset + 1n;
  }
  if (found === null) return next;
  if (continues(found.headers, point, compare)) return found.headers.begin ?? found.offset;
  return await findLinearly(log, point, compare, { first, next }, signal);
}

interface Probe {
  readonly offset: Offset;
  readonly headers: RecordHeaders;
}

/** The first record in [from, before) that has a position. */
async function nextPositioned(
  log: Pick<EventLog, "read">,
  from: Offset,
  before: Offset,
  signal: AbortSignal,
): Promise<Probe | null> {
  for await (const probe of headersFrom(log, from, before, signal)) {
    if (probe.headers.position !== null) return probe;
  }
  return null;
}

async function findLinearly(
  log: Pick<EventLog, "read">,
  point: HistoryPoint,
  compare: ComparePositions,
  bounds: { readonly first: Offset; readonly next: Offset },
  signal: AbortSignal,
): Promise<Offset> {
  let nearest: Offset | null = null;
  for await (const { offset: at, headers } of headersFrom(log, bounds.first, bounds.next, signal)) {
    if (headers.position === null || !isAbove(headers, point, compare)) continue;
    if (continues(headers, point, compare)) return headers.begin ?? at;
    nearest ??= headers.begin ?? at;
  }
  return nearest ?? bounds.next;
}

/** Reads headers in [from, before), in order. */
export async function* headersFrom(
  log: Pick<EventLog, "read">,
  from: Offset,
  before: Offset,
  signal: AbortSignal,
): AsyncGenerator<Probe, void, undefined> {
  for (let at = from; at < before;) {
    const chunk = await log.read({ from: at, maxBytes: PROBE_BYTES, maxWaitMs: 0 }, signal);
    if (chunk.entries.length === 0) return;
    for (const entry of chunk.entries) {
      if (entry.offset >= before) return;
      yield probeOf(entry);
    }
    at = chunk.next;
  }
}

function probeOf(entry: LogEntry): Probe {
  return { offset: entry.offset, headers: decodeHeaders(entry.headers) };
}

function isAbove(headers: RecordHeaders, point: HistoryPoint, compare: ComparePositions): boolean {
  const { epoch, position } = headers;
  if (epoch === null || position === null || epoch.number < point.epoch.number) return false;
  return epoch.number > point.epoch.number || compare(position, point.position) === "after";
}

/** True when the record follows on `point` without a gap. */
function continues(headers: RecordHeaders, point: HistoryPoint, compare: ComparePositions): boolean {
  const { previous } = headers;
  return previous === null || compare(previous, point.position) !== "after";
}

import {
  decodeHeaders,
  decodeRecord,
  offset,
  ReplicationError,
  unreachable,
  type Epoch,
  type EpochRef,
  type EventLog,
  type LogEntry,
  type LogRecord,
  type Offset,
  type Position,
  type RecordHeaders,
  type TransactionMark,
} from "@lockstep/core";

/** What a topic says of itself: its reign and how far it goes. */
export interface TopicHistory {
  /** Null: unwritten, not even a first epoch. */
  readonly epoch: Epoch | null;
  /** Everything through here is in the topic; null exactly when `epoch` is. */
  readonly reached: ReachedPosition | null;
  /** What must never be trimmed: from the `open` of the newest record that has a position; null when unwritten. */
  readonly keepFrom: Offset | null;
  /** Records at its start were deleted: it cannot serve a replica from the beginning. */
  readonly isTrimmed: boolean;
}

export interface ReachedPosition {
  readonly position: Position;
  /** The last transaction at or below it. */
  readonly last: TransactionMark | null;
}

/** How far back the first look goes; it grows until a record with a position is found. */
const FIRST_LOOK = 8n;
const READ_BYTES = 1024 * 1024;

/**
 * Reads the topic back from its end to the nearest record that has a position. Records that a fenced
 * publisher appended behind its successor's `open` are passed over.
 */
export async function readHistory(log: EventLog, signal: AbortSignal): Promise<TopicHistory> {
  const { first, next } = await log.bounds(signal);
  const isTrimmed = first > 0n;
  for (let span = FIRST_LOOK; ; span *= 8n) {
    const from = next - span > first ? offset(next - span) : first;
    const newest = await newestPositioned(log, from, next, signal);
    if (newest !== null) return { ...(await describe(log, newest, signal)), isTrimmed };
    if (from === first) break;
  }
  if (isTrimmed) throw lostHistory(first);
  return { epoch: null, reached: null, keepFrom: null, isTrimmed };
}

interface Found {
  readonly entry: LogEntry;
  readonly headers: RecordHeaders;
}

/** Null when [from, next) does not show the newest record of the newest publisher that has appended any. */
async function newestPositioned(
  log: EventLog,
  from: Offset,
  next: Offset,
  signal: AbortSignal,
): Promise<Found | null> {
  let newest: Found | null = null;
  let newestOpen = -1n;
  for await (const entry of entriesBetween(log, from, next, signal)) {
    const headers = decodeHeaders(entry.headers);
    const open = headers.open ?? entry.offset;
    if (headers.position === null || headers.epoch === null || open < newestOpen) continue;
    newestOpen = open;
    newest = { entry, headers };
  }
  return newest;
}

async function describe(
  log: EventLog,
  { entry, headers }: Found,
  signal: AbortSignal,
): Promise<{ epoch: Epoch; reached: ReachedPosition; keepFrom: Offset }> {
  const { record } = decodeRecord(entry);
  const epoch = await readEpoch(log, headers, record, entry.offset, signal);
  if (headers.position === null) throw new TypeError("a positioned record has no position");
  const reached = { position: headers.position, last: lastOf(record) };
  return { epoch, reached, keepFrom: headers.open ?? entry.offset };
}

/** The whole epoch stands in the publisher's `open`, or, when it began that epoch, in the record behind it. */
async function readEpoch(
  log: EventLog,
  headers: RecordHeaders,
  record: LogRecord,
  at: Offset,
  signal: AbortSignal,
): Promise<Epoch> {
  if (record.kind === "epoch") return record.epoch;
  const open = headers.open ?? at;
  const { first } = await log.bounds(signal);
  if (open < first) throw lostHistory(first);
  for await (const entry of entriesBetween(log, open, at, signal)) {
    const candidate = decodeRecord(entry).record;
    if (candidate.kind !== "open" && candidate.kind !== "epoch") continue;
    if (candidate.epoch !== null && isSame(candidate.epoch, headers.epoch)) return candidate.epoch;
  }
  throw lostHistory(open);
}

/** The newest transaction at or below a record with a position. */
export function lastOf(record: LogRecord): TransactionMark | null {
  switch (record.kind) {
    case "transactions":
    case "end":
    case "idle":
    case "epoch":
      return record.last;
    case "open":
    case "begin":
    case "middle":
      return null;
    default:
      return unreachable(record);
  }
}

async function* entriesBetween(
  log: EventLog,
  from: Offset,
  before: Offset,
  signal: AbortSignal,
): AsyncGenerator<LogEntry, void, undefined> {
  for (let at = from; at < before;) {
    const chunk = await log.read({ from: at, maxBytes: READ_BYTES, maxWaitMs: 0 }, signal);
    if (chunk.entries.length === 0) return;
    for (const entry of chunk.entries) if (entry.offset < before) yield entry;
    at = chunk.next;
  }
}

function isSame(left: EpochRef, right: EpochRef | null): boolean {
  return right !== null && left.number === right.number && left.id === right.id;
}

function lostHistory(first: Offset): ReplicationError {
  return new ReplicationError(
    "history-gap",
    `the topic begins at offset ${first} and no longer says which epoch it is`,
    {
      fix: "records were deleted by something other than lockstep: remove the pipeline and start it anew",
      fields: { first },
    },
  );
}

import {
  decodeHeaders,
  decodeRecord,
  nextOffset,
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
  type WrittenSelection,
} from "@lockstep/core";

/** What a topic says of itself: its reign and how far it goes. */
export interface TopicHistory {
  /** Null: unwritten, not even a first epoch. */
  readonly epoch: Epoch | null;
  /** Everything through here is in the topic; null exactly when `epoch` is. */
  readonly reached: ReachedPosition | null;
  /** What must never be trimmed: from the `open` of the newest record that has a position; null when unwritten. */
  readonly keepFrom: Offset | null;
  /** What it was written by, the latest last. */
  readonly selections: readonly WrittenSelection[];
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
  return { epoch: null, reached: null, keepFrom: null, selections: [], isTrimmed };
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
): Promise<Omit<TopicHistory, "isTrimmed">> {
  const { record } = decodeRecord(entry);
  if (headers.position === null) throw new TypeError("a positioned record has no position");
  const reached = { position: headers.position, last: lastOf(record) };
  const keepFrom = headers.open ?? entry.offset;
  const { first } = await log.bounds(signal);
  if (keepFrom < first) throw lostHistory(first);
  const { epoch, selections } = await readOpen(log, { entry, headers }, keepFrom, signal);
  return { epoch: record.kind === "epoch" ? record.epoch : epoch, reached, keepFrom, selections };
}

/** The whole epoch stands in the publisher's `open`, or, when it began that epoch, in the record behind it. */
async function readOpen(
  log: EventLog,
  { entry, headers }: Found,
  open: Offset,
  signal: AbortSignal,
): Promise<{ readonly epoch: Epoch; readonly selections: readonly WrittenSelection[] }> {
  let selections: readonly WrittenSelection[] = [];
  for await (const candidate of entriesBetween(log, open, nextOffset(entry.offset), signal)) {
    const { record } = decodeRecord(candidate);
    if (record.kind !== "open" && record.kind !== "epoch") continue;
    if (record.kind === "open" && candidate.offset === open) selections = record.selections ?? [];
    if (record.epoch !== null && isSame(record.epoch, headers.epoch))
      return { epoch: record.epoch, selections };
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

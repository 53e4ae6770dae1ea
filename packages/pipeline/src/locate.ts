import {
  decodeHeaders,
  find,
  nextOffset,
  type ComparePositions,
  type EventLog,
  type Offset,
  type Progress,
  type RecordHeaders,
} from "@lockstep/core";

export interface Location {
  /** Where to read on. */
  readonly at: Offset;
  /** The highest `open` known to lie below; null when that is forgotten. */
  readonly open: Offset | null;
}

/**
 * Where a replica's history goes on in the topic. The offset in its row is a hint: it counts only while the
 * record there still is the one that brought the replica to its position. Else the position is looked for.
 */
export async function locate(
  log: EventLog,
  progress: Progress,
  compare: ComparePositions,
  signal: AbortSignal,
): Promise<Location> {
  const { first, next } = await log.bounds(signal);
  if (progress.offset >= first && progress.offset < next) {
    const { entries } = await log.read({ from: progress.offset, maxBytes: 1, maxWaitMs: 0 }, signal);
    const [entry] = entries;
    if (entry?.offset === progress.offset && brought(progress, decodeHeaders(entry.headers))) {
      return { at: nextOffset(progress.offset), open: progress.open };
    }
  }
  return { at: await find(log, progress, compare, signal), open: null };
}

function brought(progress: Progress, headers: RecordHeaders): boolean {
  const { position, run, open, epoch } = headers;
  return (
    position === progress.position &&
    run === progress.run &&
    open === progress.open &&
    epoch?.id === progress.epoch.id
  );
}

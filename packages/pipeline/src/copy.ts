import { setMaxListeners } from "node:events";
import {
  hasCode,
  type ComparePositions,
  type CopyMark,
  type CopyTarget,
  type Epoch,
  type EventLog,
  type Logger,
  type Offset,
  type Progress,
  type Sink,
  type Snapshot,
  type SnapshotTable,
  type Source,
  type TableName,
  type TableRange,
} from "@lockstep/core";
import { CopyProgress, type CopyStatus } from "./copy-progress.ts";
import { endOfTopic, startOfCopy } from "./copy-start.ts";
import type { RateLimit } from "./rate-limit.ts";
import { TableCopier } from "./table-copier.ts";

export interface CopyOptions {
  readonly source: Source;
  readonly sink: Sink;
  readonly owner: string;
  readonly log: EventLog;
  readonly epoch: Epoch;
  readonly compare: ComparePositions;
  readonly logger: Logger;
  /** How many ranges are copied at the same time. */
  readonly parallel: number;
  /** Of a replica that does not follow yet. */
  readonly isFirst: boolean;
  readonly limit: RateLimit;
  /** The topic must keep what lies from here on; null: everything, since that is not known yet; undefined: nothing. */
  readonly onStart: (from: Offset | null | undefined) => void;
  readonly onProgress: (status: CopyStatus) => void;
}

/** How often progress is told. */
const TELL_INTERVAL_MS = 500;

/**
 * Copies tables from the primary straight into a replica, under one view. Resolves when all of them that the
 * primary still has are marked as copied, with those and their mark. Rejects when one is not: those that are done stay, and the next call takes up the others under a view
 * of its own.
 */
export async function copyTables<T extends TableName>(
  options: CopyOptions,
  tables: readonly T[],
  signal: AbortSignal,
): Promise<{ readonly mark: CopyMark; readonly tables: readonly T[] }> {
  const { sink, owner, onStart } = options;
  // Whatever happens, no session outlives the call.
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  setMaxListeners(0, both); // Every session listens, and so does every range that is on its way.
  const progress = new CopyProgress();
  let isDone = false;
  try {
    await using target = await sink.openCopy(owner, both);
    await target.endFormer(both);
    const { snapshot, start } = await openView(options, tables, both);
    await using held = snapshot;
    await target.forget(
      tables.filter((table) => !has(held, table)),
      both,
    );
    await target.prepare(held.schema, held.tables, both);
    progress.begin(held.tables);
    const mark = { view: held.view, start };
    await copySnapshot(options, { snapshot: held, target, progress, mark }, both);
    isDone = true;
    return { mark, tables: tables.filter((table) => has(held, table)) };
  } finally {
    // What has been copied needs the topic from this copy's start on, until its mark is read.
    if (!isDone && progress.status.tablesDone === 0) onStart(undefined);
    ended.abort(signal.reason);
  }
}

/** A view, and where in the topic its changes begin; the topic is kept from there on. */
async function openView(
  options: CopyOptions,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<{ readonly snapshot: Snapshot; readonly start: Progress }> {
  const { source, log, epoch, limit, parallel, isFirst, logger, sink, onStart } = options;
  const limits = { rangeBytes: limit.rangeBytes(parallel), isFirst };
  const { next: end } = await log.bounds(signal);
  const snapshot = await source.openSnapshot(tables, { ...limits, waitsForAll: false }, signal);
  try {
    onStart(null);
    const { earliestMissingUs: earliestUs } = snapshot;
    const start = await startOfCopy(log, { epoch, earliestUs, end }, signal);
    onStart(start?.offset);
    if (start !== null) return { snapshot, start };
  } catch (error) {
    await snapshot[Symbol.asyncDispose]();
    throw error;
  }
  await snapshot[Symbol.asyncDispose]();
  logger.info({ replica: sink.replica }, "the topic does not reach back to what runs on the primary");
  const { next } = await log.bounds(signal);
  const start = await endOfTopic(log, epoch, next, signal);
  if (start === null) throw new TypeError("a topic with an epoch has no record with a position");
  onStart(start.offset);
  return { snapshot: await source.openSnapshot(tables, { ...limits, waitsForAll: true }, signal), start };
}

interface OpenCopy {
  readonly snapshot: Snapshot;
  readonly target: CopyTarget;
  readonly progress: CopyProgress;
  readonly mark: CopyMark;
}

async function copySnapshot(options: CopyOptions, open: OpenCopy, signal: AbortSignal): Promise<void> {
  const { logger, sink, parallel, onProgress, limit } = options;
  const { snapshot, target, progress, mark } = open;
  const fields = { replica: sink.replica, tables: snapshot.tables.length };
  const { through } = mark.view;
  logger.info({ ...fields, through, start: mark.start.position }, "copying tables");
  const timer = setInterval(() => onProgress(progress.status), TELL_INTERVAL_MS);
  try {
    const common = { snapshot, target, mark, limit, progress, logger, replica: sink.replica };
    const ranges = rangesOf(snapshot.tables.map((table) => new TableCopier({ ...common, table })));
    let failure: unknown = null;
    const worker = async (): Promise<void> => {
      for (let next = ranges.shift(); next !== undefined; next = ranges.shift()) {
        const { copier, range } = next;
        try {
          await copier.copy(range, signal);
        } catch (error) {
          failure ??= error;
          if (!isOfOneTable(error)) ranges.length = 0;
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    if (failure !== null) throw failure;
    const { rows, bytes, seconds } = progress.status;
    logger.info({ ...fields, rows, bytes, seconds: Math.round(seconds * 10) / 10 }, "copied tables");
  } finally {
    clearInterval(timer);
    onProgress(progress.status);
  }
}

/** The largest tables first, so that none is left alone at the end. */
function rangesOf(copiers: readonly TableCopier[]): { copier: TableCopier; range: TableRange | null }[] {
  return copiers
    .toSorted((left, right) => right.table.bytes - left.table.bytes)
    .flatMap((copier) => {
      const { ranges } = copier.table;
      return (ranges.length === 0 ? [null] : ranges).map((range) => ({ copier, range }));
    });
}

/** The other tables' copies may go on. */
function isOfOneTable(error: unknown): boolean {
  return hasCode(error, "source-changed", "copy-refused", "schema-mismatch", "table-not-empty");
}

function has({ tables }: Snapshot, { schema, name }: TableName): boolean {
  return tables.some(({ table }: SnapshotTable) => table.schema === schema && table.name === name);
}

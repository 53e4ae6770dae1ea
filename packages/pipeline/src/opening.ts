import {
  encodeRecord,
  retry,
  selectionsNow,
  ReplicationError,
  type Epoch,
  type EventLog,
  type Failpoints,
  type Logger,
  type LogPublisher,
  type Offset,
  type Sink,
  type Source,
  type SourceSession,
  type WrittenSelection,
} from "@lockstep/core";
import { readHistory, type ReachedPosition, type TopicHistory } from "./topic-history.ts";

export interface OpeningOptions {
  readonly source: Source;
  readonly sinks: readonly Sink[];
  readonly log: EventLog;
  /** The id of the publisher's life that begins. */
  readonly run: string;
  /** A random id for the first epoch, should this be it. */
  readonly newEpochId: () => string;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

/** Everything a publisher needs to go on; disposing gives the source's lock back. */
export interface Opened extends AsyncDisposable {
  readonly session: SourceSession;
  readonly publisher: LogPublisher;
  readonly epoch: Epoch;
  readonly run: string;
  readonly open: Offset;
  readonly reached: ReachedPosition;
  /** The topic may not be trimmed from here on. */
  readonly keepFrom: Offset;
  /** What the topic was and is written by, the latest last. */
  readonly selections: readonly WrittenSelection[];
}

/**
 * Starting, in its order (design: "Starting"): the source's lock decides who may publish before anything is
 * appended; then `open`, which fences the publisher before; then, in an unwritten topic, the first `epoch`.
 * Killed between any two steps, the next start goes on. Rejects with `source-busy` while another run lives.
 */
export async function open(options: OpeningOptions, signal: AbortSignal): Promise<Opened> {
  const { log, source } = options;
  await log.prepare(signal);
  const { reached } = await readHistory(log, signal);
  const session = await source.acquire({ reached: reached?.position ?? null }, signal);
  let publisher: LogPublisher | null = null;
  const dispose = async (): Promise<void> => {
    await publisher?.[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
  };
  try {
    // Read again: until the lock was ours, a former holder could still append, and confirm what it appended.
    const before = await readHistory(log, signal);
    verify(session, before, source);
    publisher = await log.openPublisher(signal);
    const begun = await beginPublishing(options, session, publisher, before, signal);
    return { session, publisher, run: options.run, ...begun, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function beginPublishing(
  options: OpeningOptions,
  session: SourceSession,
  publisher: LogPublisher,
  before: TopicHistory,
  signal: AbortSignal,
): Promise<Pick<Opened, "epoch" | "open" | "reached" | "keepFrom" | "selections">> {
  const stamp = { epoch: before.epoch, run: options.run, open: null };
  const known = before.epoch === null ? null : { ...before.epoch, server: session.server };
  const appendOpen = async (selections: readonly WrittenSelection[]): Promise<Offset> =>
    await publisher.append(encodeRecord({ kind: "open", epoch: known, selections }, stamp), signal);
  const foreseen = selectionsAfter(before, options.source);
  let openedAt = await appendOpen(foreseen);
  options.failpoints?.hit("opened");
  const history = await readHistory(options.log, signal); // F1: nobody else can append now
  verify(session, history, options.source);
  const selections = selectionsAfter(history, options.source);
  // A former publisher's append came in between.
  if (JSON.stringify(selections) !== JSON.stringify(foreseen)) openedAt = await appendOpen(selections);
  const { epoch, reached, keepFrom } = history;
  if (epoch !== null && reached !== null && keepFrom !== null) {
    // As it is now: what changed about the server since, such as its timeline, is part of its history.
    return { epoch: { ...epoch, server: session.server }, reached, keepFrom, open: openedAt, selections };
  }
  const begun = await beginFirstEpoch(options, session, publisher, openedAt, signal);
  return { ...begun, open: openedAt, keepFrom: openedAt, selections };
}

function selectionsAfter(
  { selections, reached }: TopicHistory,
  { selection }: Source,
): readonly WrittenSelection[] {
  return selectionsNow(selections, selection, reached?.position ?? null);
}

/** A2: the same server, and a stream that begins at or before the topic's end. */
function verify(session: SourceSession, { epoch, reached }: TopicHistory, { compare }: Source): void {
  if (epoch === null || reached === null) return;
  session.verify(epoch.server, reached.position);
  if (compare(session.start, reached.position) !== "after") return;
  throw new ReplicationError(
    "slot-ahead",
    `the primary was told that ${session.start} is durable, but the topic ends at ${reached.position}`,
    {
      fix: "the topic lost its end or the slot was advanced by hand: remove the pipeline and start it anew",
      fields: { confirmed: session.start, reached: reached.position },
    },
  );
}

async function beginFirstEpoch(
  options: OpeningOptions,
  session: SourceSession,
  publisher: LogPublisher,
  openedAt: Offset,
  signal: AbortSignal,
): Promise<{ epoch: Epoch; reached: ReachedPosition }> {
  const { start, server, tables } = session;
  await refuseFormerProgress(options, signal);
  const epoch: Epoch = { number: 1, id: options.newEpochId(), server, start, former: [] };
  const stamp = { epoch, run: options.run, open: openedAt };
  const record = { kind: "epoch", epoch, previous: null, position: start, last: null } as const;
  await publisher.append(encodeRecord(record, stamp), signal);
  options.failpoints?.hit("epoch-appended");
  options.logger.info({ epoch: epoch.id, start, tables: tables.length }, "began the first epoch");
  return { epoch, reached: { position: start, last: null } };
}

/** An unwritten topic and a replica that has progress: the history it followed is gone (A2). Unreachable: wait. */
async function refuseFormerProgress({ sinks, logger }: OpeningOptions, signal: AbortSignal): Promise<void> {
  for (const sink of sinks) {
    const onRetry = (error: unknown, attempt: number): void => {
      if (attempt === 1)
        logger.warn({ replica: sink.replica, err: error }, "waiting for the replica before the first epoch");
    };
    const progress = await retry(() => sink.readProgress(signal), { onRetry }, signal);
    if (progress === null) continue;
    throw new ReplicationError(
      "progress-without-history",
      `replica ${sink.replica} is at ${progress.position} of epoch ${progress.epoch.id}, but the topic is unwritten`,
      {
        fix: "restore the topic, or empty the replica, its rows in lockstep.progress and lockstep.tables too, and start anew",
        fields: { replica: sink.replica, position: progress.position },
      },
    );
  }
}

import {
  hasCode,
  includes,
  tableLabel,
  type Progress,
  type ReplicaTable,
  type SinkSession,
  type TargetTransaction,
} from "@lockstep/core";
import type { Applied, ApplierOptions } from "./applier-options.ts";
import { followedAlone } from "./catch-up.ts";
import { earliestStart } from "./earliest.ts";
import { Follower, type FollowedSession } from "./follower.ts";
import { copyOutdated } from "./history-errors.ts";
import { locate } from "./locate.ts";
import { NO_OBSERVER } from "./replica-observer.ts";

export interface JoinOptions extends ApplierOptions {
  readonly session: SinkSession;
  readonly tables: readonly ReplicaTable[];
}

/**
 * The last step of tables that were copied and brought near beside a live replica: applies what they still lack, and
 * of them alone, in one target transaction, and with its commit they are like any other.
 */
export async function joinTables(options: JoinOptions, signal: AbortSignal): Promise<void> {
  const { session, tables, sink, logger, hardSignal } = options;
  const { progress } = session;
  if (progress === null) throw new TypeError("a replica without progress is not joined");
  const start = earliestStart(tables, options.compare);
  if (start === null) throw new TypeError("no table to join was copied");
  const target = await session.openTransaction(hardSignal);
  try {
    await target.join(tables, hardSignal); // First: nobody moves their marks any more.
    const applied = await passAgain(options, { target, start, progress }, signal);
    await target.commit(progress, hardSignal);
    options.failpoints?.hit("table-joined");
    options.observer.joined(applied);
    logger.info(
      { replica: sink.replica, tables: tables.map(tableLabel), events: applied.events },
      "tables joined the replica",
    );
  } catch (error) {
    if (!hasCode(error, "history-gap")) throw error;
    // The replica itself is well: only these tables' copies are too old.
    logger.warn(
      { replica: sink.replica, tables: tables.map(tableLabel), err: error },
      "copying tables again",
    );
    await target.rollback(hardSignal);
    await session.copyAgain(tables, hardSignal);
  }
}

interface Pass {
  readonly target: TargetTransaction;
  readonly start: Progress;
  readonly progress: Progress;
}

/** Applies what lies between the tables' start and the replica's position. */
async function passAgain(
  options: JoinOptions,
  { target, start, progress }: Pass,
  signal: AbortSignal,
): Promise<Applied> {
  const { tables, source, log, compare } = options;
  const carried = followedAlone(tables, source);
  const sum = { events: 0, conflicts: 0 };
  if (!includes(compare, start.position, progress.position)) {
    const { at, open } = await locate(log, start, compare, signal);
    const follower = new Follower({
      ...options,
      session: withinTransaction(target),
      progress: start,
      open,
      carried,
      takes: "appended",
      isEnough: (reached) => includes(compare, reached, progress.position),
      onUnknown: async () => await Promise.resolve(carried),
      onAnew: async (anew) => await Promise.reject(copyOutdated(options.sink.replica, anew)),
      observer: NO_OBSERVER,
      onAcked: (_reached, { events, conflicts }) => {
        sum.events += events;
        sum.conflicts += conflicts;
      },
    });
    await follower.run(at, signal);
  }
  return sum;
}

/**
 * A session that applies everything inside one open target transaction, and stores nothing: what joins a live
 * replica is there entirely, or not at all.
 */
function withinTransaction(target: TargetTransaction): FollowedSession {
  return {
    apply: async (window, signal) => await target.apply(window, signal),
    saveProgress: async () => await Promise.resolve(),
    openTransaction: async (openSignal) => {
      await target.savepoint(openSignal);
      return {
        apply: async (piece, signal) => await target.apply(piece, signal),
        commit: async () => await Promise.resolve(),
        rollback: async (signal) => await target.rollbackTo(signal),
        savepoint: async (signal) => await target.savepoint(signal),
        rollbackTo: async (signal) => await target.rollbackTo(signal),
        join: async (tables, signal) => await target.join(tables, signal),
      };
    },
  };
}

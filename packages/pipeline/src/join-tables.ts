import {
  hasCode,
  includes,
  tableLabel,
  type Progress,
  type ReplicaTable,
  type SinkSession,
  type TargetTransaction,
} from "@lockstep/core";
import type { ApplierOptions } from "./applier.ts";
import { CarriedTables } from "./carried-tables.ts";
import { Follower } from "./follower.ts";
import { withinTransaction } from "./joining.ts";
import { locate } from "./locate.ts";
import { NO_OBSERVER } from "./replica-observer.ts";

export interface JoinOptions extends ApplierOptions {
  readonly session: SinkSession;
  readonly tables: readonly ReplicaTable[];
}

/**
 * Brings tables that were copied beside a live replica up to its position: reads the topic from the tables' starts
 * once more, applies what the copies lack of them, and of them alone, in one target transaction, and with its
 * commit they are like any other.
 */
export async function joinTables(options: JoinOptions, signal: AbortSignal): Promise<void> {
  const { session, tables, sink, logger, hardSignal } = options;
  const { progress } = session;
  if (progress === null) throw new TypeError("a replica without progress is not joined");
  const start = earliestStart(options);
  const target = await session.openTransaction(hardSignal);
  try {
    const events = await passAgain(options, { target, start, progress }, signal);
    await target.join(tables, hardSignal);
    await target.commit(progress, hardSignal);
    options.failpoints?.hit("table-joined");
    logger.info(
      { replica: sink.replica, tables: tables.map(tableLabel), events },
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

/** Applies what lies between the tables' start and the replica's position; returns how many changes. */
async function passAgain(
  options: JoinOptions,
  { target, start, progress }: Pass,
  signal: AbortSignal,
): Promise<number> {
  const { tables, source, log, compare } = options;
  // Read as a replica whose only tables are these.
  const carried = new CarriedTables(
    tables.map((table) => ({ ...table, joins: false })),
    source,
    { isAlone: true },
  );
  let events = 0;
  if (!includes(compare, start.position, progress.position)) {
    const { at, open } = await locate(log, start, compare, signal);
    const follower = new Follower({
      ...options,
      session: withinTransaction(target),
      progress: start,
      open,
      carried,
      isEnough: (reached) => includes(compare, reached, progress.position),
      onUnknown: async () => await Promise.resolve(carried),
      observer: NO_OBSERVER,
      onAcked: (_reached, applied) => void (events += applied.events),
    });
    await follower.run(at, signal);
  }
  return events;
}

function earliestStart({ tables, compare }: JoinOptions): Progress {
  let earliest: Progress | null = null;
  for (const { state } of tables) {
    if (state.kind !== "copied") continue;
    const { start } = state.mark;
    if (earliest === null || !includes(compare, start.position, earliest.position)) earliest = start;
  }
  if (earliest === null) throw new TypeError("no table to join was copied");
  return earliest;
}

import { setTimeout as sleep } from "node:timers/promises";
import { includes, type CopyMark, type Position, type Progress, type ReplicaTable } from "@lockstep/core";
import type { ApplierOptions } from "./applier-options.ts";
import { CarriedTables } from "./carried-tables.ts";
import { Follower } from "./follower.ts";
import { copyOutdated } from "./history-errors.ts";
import { locate } from "./locate.ts";
import { NO_OBSERVER } from "./replica-observer.ts";

/** A pass that took no longer leaves little behind. */
const NEAR_MS = 500;
/** A pass that took more than this part of the shortest one was in vain; after so many, further ones bring it no nearer. */
const SHORTER = 0.75;
const MOST_IN_VAIN = 2;
/** How often the replica is looked at while it has not passed the tables' view. */
const LOOK_INTERVAL_MS = 250;

/** Tables that were copied under the same mark. */
export interface CopiedTables {
  readonly tables: readonly ReplicaTable[];
  readonly mark: CopyMark;
}

export interface CatchUpOptions extends ApplierOptions, CopiedTables {
  /** How far the replica is with its other tables. */
  readonly reached: () => Position;
}

/**
 * Brings joining tables near the position of their replica, which goes on meanwhile with the others: pass after
 * pass, until one was short, or they get no shorter. What is left for the join is little then. False: the replica
 * has not left the tables' view behind, and the topic is kept from their marks on, which have moved.
 */
export async function catchUp(options: CatchUpOptions, signal: AbortSignal): Promise<boolean> {
  const { sink, owner, source, tables, mark, compare, reached } = options;
  options.onWaiting(mark.view.through);
  await using session = await sink.openCatchUp(owner, tables, mark.start, signal);
  const carried = followedAlone(tables, source);
  let [shortestMs, inVain] = [Infinity, 0];
  for (;;) {
    const target = reached();
    const begunMs = performance.now();
    const progress = session.progress ?? mark.start;
    if (!includes(compare, progress.position, target)) {
      const { at, open } = await locate(options.log, progress, compare, signal);
      await new Follower({
        ...options,
        session,
        progress,
        open,
        carried,
        takes: "appended",
        failpoints: undefined,
        hardSignal: signal, // Nothing of it needs to be finished: its mark says where it goes on.
        isEnough: (position) => includes(compare, position, target),
        onUnknown: async () => await Promise.resolve(carried),
        onAnew: async (anew) => await Promise.reject(copyOutdated(sink.replica, anew)),
        observer: NO_OBSERVER,
        onAcked: (_reached, { events, conflicts }) => {
          options.failpoints?.hit(events > 0 ? "table-advanced" : "table-passed");
          options.observer.joined({ events, conflicts });
        },
      }).run(at, signal);
    }
    const tookMs = performance.now() - begunMs;
    inVain = tookMs > shortestMs * SHORTER ? inVain + 1 : 0;
    shortestMs = Math.min(shortestMs, tookMs);
    if (tookMs >= NEAR_MS && inVain < MOST_IN_VAIN) continue;
    if (includes(compare, target, mark.view.through)) return true;
    await sleep(LOOK_INTERVAL_MS, undefined, { signal });
    return false;
  }
}

/** Read as a replica whose only tables are these. */
export function followedAlone(
  tables: readonly ReplicaTable[],
  source: ApplierOptions["source"],
): CarriedTables {
  return new CarriedTables(
    tables.map((table) => ({ ...table, joins: false })),
    source,
    { isAlone: true },
  );
}

/** Tables by the start that they have in common. */
export function byStart(tables: readonly ReplicaTable[]): CopiedTables[] {
  const groups = new Map<string, { mark: CopyMark; tables: ReplicaTable[] }>();
  for (const table of tables) {
    if (table.state.kind !== "copied") continue;
    const { mark } = table.state;
    const key = keyOf(mark);
    const group = groups.get(key) ?? { mark, tables: [] };
    group.tables.push(table);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function keyOf({ view, start }: CopyMark): string {
  const { position, offset }: Progress = start;
  return JSON.stringify([view, position, String(offset)]);
}

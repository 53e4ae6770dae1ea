import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import type { GateNames } from "./gate-setting.ts";
import { OtherStandbys } from "./other-standbys.ts";

const LOOK_MS = 5;
/** Commits of others wait for as long. */
const PROBE_MS = 1_000;
const PAUSE_MS = 20;
/** A checkpointer reads its settings between two pages. */
export const GIVE_UP_MS = 5_000;

export interface ProbedSessions {
  /** Commits, to see whether that waits. */
  readonly prober: Client;
  /** Looks at the other one. */
  readonly observer: Client;
}

/**
 * Resolves once a commit on the server waits for the walsender. Our session sees a changed setting at once, the server
 * lets commits wait only when its checkpointer has read it too, which may be at work elsewhere; and where commits
 * wait for other standbys besides, each of their walsenders lets them go by the setting that it has read. `hold` keeps
 * back what would let a commit go.
 */
export async function proveArmed(
  sessions: ProbedSessions,
  names: GateNames,
  hold: (isHeld: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const { prober, observer } = sessions;
  const { rows } = await prober.query<{ pid: number }>("select pg_catalog.pg_backend_pid() as pid");
  const pid = rows[0]?.pid ?? 0;
  const untilMs = performance.now() + GIVE_UP_MS;
  let hasWaited = false;
  while (performance.now() < untilMs) {
    const others = await OtherStandbys.read(observer, names);
    hold(true);
    const probe = new Probe(commit(prober), async () => await isWaiting(observer, pid));
    let isProved = false;
    try {
      const heldMs = performance.now() + PROBE_MS;
      hasWaited = (await waits(probe, heldMs, signal)) || hasWaited;
      isProved = await isHeldFrom(others, probe, heldMs, signal);
      // It may wait for long: the log may be away by now.
      if (!probe.isOver) await observer.query("select pg_catalog.pg_cancel_backend($1)", [pid]);
    } finally {
      hold(false);
    }
    await probe.over;
    if (isProved) return;
    await sleep(PAUSE_MS, undefined, { signal });
  }
  throw hasWaited ? notKnown() : notWaiting();
}

async function waits(probe: Probe, untilMs: number, signal: AbortSignal): Promise<boolean> {
  while (!probe.isOver && performance.now() < untilMs) {
    await sleep(LOOK_MS, undefined, { signal });
    if (await probe.isWaiting()) return true;
  }
  return false;
}

/**
 * A walsender lets commits go as it hears from its standby. That it has heard of a word after the probe, and that it
 * has done what follows from it, is certain when it has heard of another one.
 */
async function isHeldFrom(
  others: OtherStandbys,
  probe: Probe,
  untilMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  for (const _ of others.areNone ? [] : ["heard", "done"]) {
    const word = await others.write();
    while (!(await others.have(word))) {
      if (probe.isOver || performance.now() > untilMs) return false;
      await sleep(LOOK_MS, undefined, { signal });
    }
  }
  return await probe.isWaiting();
}

class Probe {
  readonly over: Promise<void>;
  readonly isWaiting: () => Promise<boolean>;
  isOver = false;

  constructor(commit: Promise<void>, isWaiting: () => Promise<boolean>) {
    this.over = commit.finally(() => (this.isOver = true));
    this.over.catch(() => undefined); // It is awaited once the hold is over.
    this.isWaiting = isWaiting;
  }
}

/** Of nothing but a word in the log that no subscriber gets. */
async function commit(client: Client): Promise<void> {
  await client.query("begin");
  await client.query("set local synchronous_commit = on");
  await client.query("select pg_catalog.pg_logical_emit_message(true, 'lockstep', 'gate')");
  await client.query("commit");
}

async function isWaiting(client: Client, pid: number): Promise<boolean> {
  const { rows } = await client.query<{ event: string | null }>(
    "select wait_event as event from pg_catalog.pg_stat_activity where pid = $1",
    [pid],
  );
  return rows[0]?.event === "SyncRep";
}

/** Somebody took the setting back meanwhile, most likely; what is so will be looked at again. */
function notWaiting(): ReplicationError {
  return new ReplicationError("gate-unavailable", "the gate is set, and commits do not wait", {
    fix: "nothing, if it was turned off meanwhile; else see whether the server's checkpointer is stuck",
  });
}

function notKnown(): ReplicationError {
  return new ReplicationError(
    "gate-unavailable",
    "the gate is set, and commits wait; whether they wait for it is not known before the other standbys follow",
    { fix: "see in pg_stat_replication which of synchronous_standby_names does not" },
  );
}

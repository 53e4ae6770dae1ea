import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";

const LOOK_MS = 5;
/** Commits of others wait for as long. */
const PROBE_MS = 1_000;
const PAUSE_MS = 20;
/** A checkpointer reads its settings between two pages. */
const GIVE_UP_MS = 5_000;

export interface ProbedSessions {
  /** Commits, to see whether that waits. */
  readonly prober: Client;
  /** Looks at the other one. */
  readonly observer: Client;
}

/**
 * Resolves once a commit on the server waits for the walsender. Our session sees a changed setting at once, the server
 * lets commits wait only when its checkpointer has read it too, which may be at work elsewhere. `hold` keeps back what
 * would let a commit go.
 */
export async function proveArmed(
  { prober, observer }: ProbedSessions,
  hold: (isHeld: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  const { rows } = await prober.query<{ pid: number }>("select pg_catalog.pg_backend_pid() as pid");
  const pid = rows[0]?.pid ?? 0;
  const untilMs = performance.now() + GIVE_UP_MS;
  while (performance.now() < untilMs) {
    hold(true);
    const probe = new Probe(commit(prober));
    let hasWaited = false;
    try {
      const heldMs = performance.now() + PROBE_MS;
      while (!probe.isOver && !hasWaited && performance.now() < heldMs) {
        await sleep(LOOK_MS, undefined, { signal });
        hasWaited = await isWaiting(observer, pid);
      }
      // It may wait for long: the log may be away by now.
      if (hasWaited) await observer.query("select pg_catalog.pg_cancel_backend($1)", [pid]);
    } finally {
      hold(false);
    }
    await probe.over;
    if (hasWaited) return;
    await sleep(PAUSE_MS, undefined, { signal });
  }
  // Somebody took the setting back meanwhile, most likely; what is so will be looked at again.
  throw new ReplicationError("gate-unavailable", "the gate is set, and commits do not wait", {
    fix: "nothing, if it was turned off meanwhile; else see whether the server's checkpointer is stuck",
  });
}

class Probe {
  readonly over: Promise<void>;
  isOver = false;

  constructor(commit: Promise<void>) {
    this.over = commit.finally(() => (this.isOver = true));
    this.over.catch(() => undefined); // It is awaited once the hold is over.
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

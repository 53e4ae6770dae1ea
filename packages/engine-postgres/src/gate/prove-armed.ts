import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError } from "@lockstep/core";
import { DatabaseError, type Client } from "pg";
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
    let isProved = false;
    try {
      const probe = new Probe(prober, observer, pid);
      isProved = await probe.during(async () => {
        const heldMs = performance.now() + PROBE_MS;
        hasWaited = (await waits(probe, heldMs, signal)) || hasWaited;
        return await isHeldFrom(others, probe, heldMs, signal);
      });
    } finally {
      hold(false);
    }
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

/** A commit, which ends with what is seen of it: it would wait for long where the log, or another standby, is away by now. */
class Probe {
  readonly #prober: Client;
  readonly #observer: Client;
  readonly #pid: number;
  readonly #over: Promise<void>;
  isOver = false;

  constructor(prober: Client, observer: Client, pid: number) {
    this.#prober = prober;
    this.#observer = observer;
    this.#pid = pid;
    this.#over = this.#commit().finally(() => (this.isOver = true));
    this.#over.catch(() => undefined); // It is awaited at the end.
  }

  async isWaiting(): Promise<boolean> {
    const { rows } = await this.#observer.query<{ event: string | null }>(
      "select wait_event as event from pg_catalog.pg_stat_activity where pid = $1",
      [this.#pid],
    );
    return !this.isOver && rows[0]?.event === "SyncRep";
  }

  /** Throws what the work throws; else what the commit does. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const [seen] = await Promise.allSettled([work()]);
    if (seen.status === "fulfilled") {
      await this.#end();
      return seen.value;
    }
    await this.#end().catch(() => undefined); // Where the server went away, nothing can be said to it any more.
    throw seen.reason;
  }

  /** More than once: a commit that has not begun to wait may miss it. */
  async #end(): Promise<void> {
    while (!this.isOver) {
      await this.#observer.query("select pg_catalog.pg_cancel_backend($1)", [this.#pid]);
      await Promise.race([this.#over, sleep(LOOK_MS)]);
    }
    await this.#over;
  }

  /** Of nothing but a word in the log that no subscriber gets; one statement, so that nothing stays open if it ends. */
  async #commit(): Promise<void> {
    try {
      await this.#prober.query(
        `select pg_catalog.set_config('synchronous_commit', 'on', true),
                pg_catalog.pg_logical_emit_message(true, 'lockstep', 'gate')`,
      );
    } catch (error) {
      if (!isCanceled(error)) throw error;
    }
  }
}

function isCanceled(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === "57014";
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

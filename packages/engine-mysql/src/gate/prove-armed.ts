import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import type { Session } from "../session.ts";
import { probeStatement } from "./gate-note.ts";
import { readSemiSync } from "./semi-sync-server.ts";

const LOOK_MS = 5;
/** Commits of others wait for as long. */
const PROBE_MS = 1_000;
const PAUSE_MS = 50;
const GIVE_UP_MS = 5_000;

export interface ProofOptions {
  readonly pipeline: string;
  /** Commits, to see whether that waits. */
  readonly prober: Session;
  /** Looks at the other one. */
  readonly observer: Session;
  readonly flavour: Flavour;
  /** What would let a commit go is kept back, or is not. */
  readonly hold: (isHeld: boolean) => void;
  /** Commits would be let go then. */
  readonly degradeAfterMs: number | null;
}

/** Resolves once a commit of ours was seen to wait for us, which is said by nothing but that. */
export async function proveArmed(options: ProofOptions, signal: AbortSignal): Promise<void> {
  const { hold, prober, pipeline, degradeAfterMs } = options;
  const holdMs = Math.min(PROBE_MS, (degradeAfterMs ?? Infinity) / 2);
  const untilMs = performance.now() + GIVE_UP_MS;
  while (performance.now() < untilMs) {
    hold(true);
    let isOver = false;
    let isProved = false;
    const probe = prober.run(probeStatement(pipeline)).finally(() => (isOver = true));
    probe.catch(() => undefined); // It is awaited once the hold is over.
    try {
      isProved = await waits(options, () => isOver, holdMs, signal);
    } finally {
      hold(false);
    }
    await probe;
    if (isProved) return;
    await sleep(PAUSE_MS, undefined, { signal });
  }
  throw new ReplicationError("gate-unavailable", "the gate is set, and commits do not wait for it", {
    fix: "see whether another semi-synchronous replica reads the primary, or the gate was turned off meanwhile",
  });
}

async function waits(
  options: ProofOptions,
  isOver: () => boolean,
  holdMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const untilMs = performance.now() + holdMs;
  while (!isOver() && performance.now() < untilMs) {
    await sleep(LOOK_MS, undefined, { signal });
    if (!(await isWaiting(options))) continue;
    // Another reader, however slow, would answer for it.
    const { clients } = await readSemiSync(options.observer, options.flavour);
    return clients === 1 && !isOver() && (await isWaiting(options));
  }
  return false;
}

/** Of several that commit together one waits, and the others for that one. */
async function isWaiting({ observer, prober: { id }, flavour }: ProofOptions): Promise<boolean> {
  const [row] = await observer.query(
    `select state from information_schema.processlist where id = ${id} and command = 'Query'`,
  );
  const state = row?.["state"] ?? "";
  if (state.startsWith("Waiting for semi-sync ACK")) return true;
  return /commit/i.test(state) && (await readSemiSync(observer, flavour)).waiting > 0;
}

import { setTimeout as sleep } from "node:timers/promises";
import { ReplicationError } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import type { Flavour } from "../flavour.ts";
import type { Session } from "../session.ts";
import { probeStatement } from "./gate-note.ts";
import { readSemiSync } from "./semi-sync-server.ts";

const LOOK_MS = 5;
/** Commits of others wait for as long. */
const PROBE_MS = 1_000;
const PAUSE_MS = 50;
const GIVE_UP_MS = 5_000;
/** So long may a server take to end a commit of ours. */
const END_MS = 1_000;

export interface ProofOptions {
  readonly pipeline: string;
  readonly flavour: Flavour;
  readonly connect: (signal: AbortSignal) => Promise<Connected>;
  /** What would let a commit go is kept back, or is not. */
  readonly hold: (isHeld: boolean) => void;
  /** Commits would be let go then. */
  readonly degradeAfterMs: number | null;
}

interface Proof extends Omit<ProofOptions, "connect"> {
  /** Commits, to see whether that waits. */
  readonly prober: Session;
  /** Looks at the other one. */
  readonly observer: Session;
}

/**
 * Resolves once a commit of ours was seen to wait for us, which is said by nothing but that. As far as the server ends
 * what waits, none of ours is left waiting, whatever comes of it; and never does one stand in the next one's way.
 */
export async function proveArmed({ connect, ...options }: ProofOptions, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const ended = new AbortController(); // Later than the signal, for as long as it takes to end a commit.
  const stop = (): void => void setTimeout(() => ended.abort(signal.reason), END_MS).unref();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await using prober = await connect(ended.signal);
    await using observer = await connect(ended.signal);
    await prove({ ...options, prober: prober.session, observer: observer.session }, signal);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function prove(options: Proof, signal: AbortSignal): Promise<void> {
  const { hold, degradeAfterMs } = options;
  const holdMs = Math.min(PROBE_MS, (degradeAfterMs ?? Infinity) / 2);
  const untilMs = performance.now() + GIVE_UP_MS;
  while (performance.now() < untilMs) {
    hold(true);
    const probe = new Probe(options);
    let isProved = false;
    try {
      isProved = await waits(options, probe, holdMs, signal);
      hold(false);
      await probe.answered(untilMs, signal);
    } finally {
      hold(false);
      await probe.end();
    }
    if (isProved) return;
    await sleep(PAUSE_MS, undefined, { signal });
  }
  throw new ReplicationError("gate-unavailable", "the gate is set, and commits do not wait for it", {
    fix: "see whether another semi-synchronous replica reads the primary, or the gate was turned off meanwhile",
  });
}

async function waits(options: Proof, probe: Probe, holdMs: number, signal: AbortSignal): Promise<boolean> {
  const untilMs = performance.now() + holdMs;
  while (!probe.isOver && performance.now() < untilMs) {
    await sleep(LOOK_MS, undefined, { signal });
    if (!(await isWaiting(options))) continue;
    // Another reader, however slow, would answer for it.
    const { clients } = await readSemiSync(options.observer, options.flavour);
    return clients === 1 && !probe.isOver && (await isWaiting(options));
  }
  return false;
}

/** A commit, which would wait for as long as the quorum is away. */
class Probe {
  readonly #options: Proof;
  readonly #over: Promise<void>;
  isOver = false;
  #isEnded = false;

  constructor(options: Proof) {
    this.#options = options;
    this.#over = this.#commit().finally(() => (this.isOver = true));
    this.#over.catch(() => undefined); // It is awaited below.
  }

  /** It is over, by then at the latest. Throws what it does. */
  async answered(untilMs: number, signal: AbortSignal): Promise<void> {
    const ms = Math.max(PROBE_MS, untilMs - performance.now());
    await Promise.race([this.#over, sleep(ms, undefined, { signal, ref: false })]);
  }

  /** Its session goes with it, if it waits still: the servers end no wait but so. */
  async end(): Promise<void> {
    const { observer, prober } = this.#options;
    if (this.isOver) return;
    this.#isEnded = true;
    await observer.run(`kill ${prober.id}`).catch((error: unknown) => {
      if (!this.isOver) throw error;
    });
    await Promise.race([this.#over, sleep(END_MS, undefined, { ref: false })]); // Else the link is cut.
  }

  async #commit(): Promise<void> {
    const { prober, pipeline } = this.#options;
    await prober.run(probeStatement(pipeline)).catch((error: unknown) => {
      if (!this.#isEnded) throw error;
    });
  }
}

/** Of several that commit together one waits, and the others for that one. */
async function isWaiting({ observer, prober: { id }, flavour }: Proof): Promise<boolean> {
  const [row] = await observer.query(
    `select state from information_schema.processlist where id = ${id} and command = 'Query'`,
  );
  const state = row?.["state"] ?? "";
  if (state.startsWith("Waiting for semi-sync ACK")) return true;
  return /commit/i.test(state) && (await readSemiSync(observer, flavour)).waiting > 0;
}

import { setTimeout as sleep } from "node:timers/promises";
import { lagMsOf, tenths, type Stretch } from "./lag.ts";
import type { Prober } from "./prober.ts";
import type { Member, Stage } from "./stage.ts";

/** A replica is back when it shows a commit that is younger than this, made after the kill. */
const RECOVERED_LAG_MS = 500;
const RECOVERY_TIMEOUT_MS = 60_000;
const POLL_MS = 10;

export interface FaultResult {
  /** Seconds since the work began. */
  readonly at: number;
  readonly kind: "replica-killed" | "pipeline-killed";
  readonly target: string;
  /** From the kill until it is started again. */
  readonly downMs: number;
  /** From the kill until nobody whom it concerns is more than half a second behind; null when that never came. */
  readonly recoveredMs: number | null;
  /** The longest that a commit took to be shown meanwhile. */
  readonly maxLagMs: number | null;
}

/** Times are of the prober's clock. */
export interface Fault {
  readonly kind: FaultResult["kind"];
  readonly target: string;
  readonly replicas: readonly string[];
  readonly killedMs: number;
  startedMs: number | null;
  recoveredMs: number | null;
}

/** What is killed, and when it is well again. */
export class Faults {
  readonly all: Fault[] = [];
  readonly #stage: Stage;
  readonly #prober: Prober;

  constructor(stage: Stage, prober: Prober) {
    this.#stage = stage;
    this.#prober = prober;
  }

  /** SIGKILL to every process of a replica's server. */
  async killReplica(replica: Member, downMs: number, signal: AbortSignal): Promise<Fault> {
    const fault = this.#begin("replica-killed", replica.name, [replica.name]);
    await replica.server.kill();
    await sleep(downMs, undefined, { signal });
    await replica.server.start();
    return await this.#recovered(fault, signal);
  }

  /** SIGKILL to `lockstep run`; another one is started, as a supervisor would. */
  async killPipeline(downMs: number, signal: AbortSignal): Promise<Fault> {
    const everybody = this.#stage.replicas.map(({ name }) => name);
    const fault = this.#begin("pipeline-killed", "lockstep", everybody);
    await this.#stage.killPipeline();
    await sleep(downMs, undefined, { signal });
    this.#stage.startPipeline();
    return await this.#recovered(fault, signal);
  }

  /** When a replica was being disturbed. */
  stretches(replica: string): Stretch[] {
    return this.all
      .filter(({ replicas }) => replicas.includes(replica))
      .map(({ killedMs, recoveredMs }) => ({ fromMs: killedMs, untilMs: recoveredMs ?? Infinity }));
  }

  results(beganMs: number): FaultResult[] {
    return this.all.map((fault) => {
      const { kind, target, killedMs, startedMs, recoveredMs } = fault;
      return {
        at: tenths((killedMs - beganMs) / 1_000),
        kind,
        target,
        downMs: Math.round((startedMs ?? performance.now()) - killedMs),
        recoveredMs: recoveredMs === null ? null : Math.round(recoveredMs - killedMs),
        maxLagMs: this.#maxLagMs(fault),
      };
    });
  }

  #begin(kind: Fault["kind"], target: string, replicas: readonly string[]): Fault {
    const fault = { kind, target, replicas, killedMs: performance.now(), startedMs: null, recoveredMs: null };
    this.all.push(fault);
    return fault;
  }

  async #recovered(fault: Fault, signal: AbortSignal): Promise<Fault> {
    fault.startedMs = performance.now();
    while (performance.now() < fault.startedMs + RECOVERY_TIMEOUT_MS) {
      const seen = fault.replicas.map((replica) => this.#firstSeenMs(replica, fault.killedMs));
      if (seen.every((ms) => ms !== null)) {
        fault.recoveredMs = Math.max(...seen);
        break;
      }
      await sleep(POLL_MS, undefined, { signal });
    }
    return fault;
  }

  #firstSeenMs(replica: string, killedMs: number): number | null {
    const first = this.#prober
      .samples(replica)
      .find((sample) => sample.committedMs > killedMs && lagMsOf(sample) < RECOVERED_LAG_MS);
    return first?.seenMs ?? null;
  }

  #maxLagMs({ replicas, killedMs, recoveredMs }: Fault): number | null {
    const untilMs = recoveredMs ?? Infinity;
    const lags = replicas
      .flatMap((replica) => this.#prober.samples(replica))
      .filter(({ committedMs, seenMs }) => committedMs <= untilMs && seenMs >= killedMs)
      .map(lagMsOf);
    return lags.length === 0 ? null : Math.round(Math.max(...lags));
  }
}

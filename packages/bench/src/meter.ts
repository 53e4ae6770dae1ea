import { cpus, loadavg } from "node:os";
import { sumOfKnown } from "./medians.ts";
import type { BenchServers } from "./bench-servers.ts";
import type { Side } from "./side.ts";

export interface Metered {
  readonly seconds: number;
  /** Processor time of every process that took part; null where a part of it cannot be told. */
  readonly cpuSeconds: number | null;
  /** The same by what they are: `primary`, `replicas`, `lockstep`, `broker`. */
  readonly cpuParts: Readonly<Record<string, number | null>>;
  readonly otherCpuSeconds: number | null;
  readonly load: number;
}

/** Measures one stretch of a turn: `stop` at its end, while the side's process still runs. */
export class Meter {
  readonly #servers: BenchServers;
  readonly #side: Pick<Side, "cpuSeconds">;
  readonly #load = loadavg()[0] ?? 0;
  readonly #cpu: Readonly<Record<string, number | null>>;
  readonly #busy = busySeconds();
  readonly #own = process.cpuUsage();
  readonly #startedMs: number;

  constructor(servers: BenchServers, side: Pick<Side, "cpuSeconds">) {
    this.#servers = servers;
    this.#side = side;
    this.#cpu = this.#cpuParts();
    this.#startedMs = performance.now();
  }

  stop(): Metered {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const parts = Object.entries(this.#cpuParts()).map(
      ([name, now]) => [name, now === null ? null : now - (this.#cpu[name] ?? 0)] as const,
    );
    const cpuSeconds = sumOfKnown(parts.map(([, part]) => part));
    const { user, system } = process.cpuUsage(this.#own);
    const other = busySeconds() - this.#busy - (cpuSeconds ?? 0) - (user + system) / 1_000_000;
    return {
      seconds,
      cpuSeconds,
      cpuParts: Object.fromEntries(parts),
      otherCpuSeconds: cpuSeconds === null ? null : Math.max(0, other),
      load: this.#load,
    };
  }

  #cpuParts(): Readonly<Record<string, number | null>> {
    return { ...this.#servers.cpuSeconds(), ...this.#side.cpuSeconds() };
  }
}

/** What all processors of the machine have worked. */
function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1_000;
}

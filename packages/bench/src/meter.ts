import { cpus, loadavg } from "node:os";
import type { Servers } from "./servers.ts";
import { sumOfKnown } from "./servers.ts";
import type { Side } from "./side.ts";

export interface Metered {
  readonly seconds: number;
  readonly cpuSeconds: number | null;
  readonly otherCpuSeconds: number | null;
  readonly load: number;
}

/** Measures one stretch of a turn: `stop` at its end, while the side's process still runs. */
export class Meter {
  readonly #servers: Servers;
  readonly #side: Side;
  readonly #load = loadavg()[0] ?? 0;
  readonly #cpu: number | null;
  readonly #busy = busySeconds();
  readonly #own = process.cpuUsage();
  readonly #startedMs: number;

  constructor(servers: Servers, side: Side) {
    this.#servers = servers;
    this.#side = side;
    this.#cpu = this.#cpuSeconds();
    this.#startedMs = performance.now();
  }

  stop(): Metered {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const now = this.#cpuSeconds();
    const cpuSeconds = now === null || this.#cpu === null ? null : now - this.#cpu;
    const { user, system } = process.cpuUsage(this.#own);
    const other = busySeconds() - this.#busy - (cpuSeconds ?? 0) - (user + system) / 1_000_000;
    return {
      seconds,
      cpuSeconds,
      otherCpuSeconds: cpuSeconds === null ? null : Math.max(0, other),
      load: this.#load,
    };
  }

  #cpuSeconds(): number | null {
    return sumOfKnown([this.#servers.cpuSeconds(), this.#side.cpuSeconds()]);
  }
}

/** What all processors of the machine have worked. */
function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1_000;
}

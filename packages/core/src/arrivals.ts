import { setTimeout as sleep } from "node:timers/promises";
import { abortable } from "./abortable.ts";

/** Wakes whoever waits for something new. */
export class Arrivals {
  readonly #waiting = new Set<() => void>();

  announce(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next announcement, or after `maxWaitMs`; rejects with the signal's reason. */
  async next(maxWaitMs: number, signal: AbortSignal): Promise<void> {
    let wake: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    const done = new AbortController();
    try {
      const late = sleep(maxWaitMs, undefined, { signal: done.signal }).catch(() => undefined);
      await abortable(Promise.race([arrived, late]), signal);
    } finally {
      this.#waiting.delete(wake);
      done.abort();
    }
  }
}

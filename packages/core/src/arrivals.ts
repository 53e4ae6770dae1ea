import { Deferred } from "./deferred.ts";

/** Wakes whoever waits for something new. */
export class Arrivals {
  readonly #waiting = new Set<() => void>();

  announce(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next announcement, or after `maxWaitMs`; rejects with the signal's reason. */
  async next(maxWaitMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const arrived = new Deferred<void>();
    const resolve = (): void => arrived.resolve();
    const abort = (): void => arrived.reject(signal.reason);
    const timer = setTimeout(resolve, maxWaitMs);
    this.#waiting.add(resolve);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await arrived.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(resolve);
      signal.removeEventListener("abort", abort);
    }
  }
}

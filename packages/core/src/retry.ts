import { setTimeout as sleep } from "node:timers/promises";
import { actionOf } from "./replication-error.ts";

export interface RetryPolicy {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** Quick enough that a restarted server is noticed within a second, slow enough not to be a load on it. */
export const DEFAULT_RETRY: RetryPolicy = { firstDelayMs: 50, maxDelayMs: 2_000 };

/** Waits between attempts: exponential, with full jitter in the upper half. `reset` after a success. */
export class Backoff {
  readonly #policy: RetryPolicy;
  readonly #random: () => number;
  #attempt = 0;

  constructor(policy: RetryPolicy = DEFAULT_RETRY, random: () => number = Math.random) {
    this.#policy = policy;
    this.#random = random;
  }

  reset(): void {
    this.#attempt = 0;
  }

  nextDelayMs(): number {
    const ceiling = Math.min(this.#policy.maxDelayMs, this.#policy.firstDelayMs * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 30);
    return Math.round((ceiling * (1 + this.#random())) / 2);
  }

  /** Resolves after the next delay; rejects with the signal's reason when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    await sleep(this.nextDelayMs(), undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
  }
}

/**
 * Runs `attempt` until it resolves. Errors whose action is `retry` are waited out for as long as it takes;
 * any other error, and the signal's reason, rejects at once.
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  options: {
    readonly policy?: RetryPolicy;
    readonly onRetry?: (error: unknown, attemptNumber: number) => void;
  },
  signal: AbortSignal,
): Promise<T> {
  const backoff = new Backoff(options.policy);
  for (let attemptNumber = 1; ; attemptNumber++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || actionOf(error) !== "retry") throw error;
      options.onRetry?.(error, attemptNumber);
      await backoff.wait(signal);
    }
  }
}

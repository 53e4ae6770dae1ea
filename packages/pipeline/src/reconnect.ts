import { Deferred } from "@lockstep/core";
import type { ReplicaObserver } from "./replica-observer.ts";

/** The wish, from outside, that a replica's session be dropped and the replica claimed anew. */
export class Reconnect {
  #asked = new AbortController();
  /** Of those who asked: since the session began that there is, and before. */
  #later: Deferred<void>[] = [];
  #waiting: Deferred<void>[] = [];

  /** Resolves when the replica is claimed anew; rejects with what stands against that. */
  async ask(): Promise<void> {
    const claimed = new Deferred<void>();
    this.#later.push(claimed);
    this.#asked.abort();
    await claimed.promise;
  }

  /** The next attempts begin; aborted when they are to end. */
  next(): AbortSignal {
    this.#waiting.push(...this.#later.splice(0));
    this.#asked = new AbortController();
    return this.#asked.signal;
  }

  claimed(): void {
    for (const claimed of this.#waiting.splice(0)) claimed.resolve();
  }

  failed(error: unknown): void {
    for (const claimed of this.#waiting.splice(0)) claimed.reject(error);
  }

  /** Nobody claims the replica any more. */
  ended(error: unknown): void {
    this.#waiting.push(...this.#later.splice(0));
    this.failed(error);
  }
}

/** Who asked is told, too. */
export function answering(reconnect: Reconnect, observer: ReplicaObserver): ReplicaObserver {
  return {
    linked: (lost) => {
      observer.linked(lost);
      if (lost !== null) reconnect.claimed();
    },
    interrupted: (error) => {
      observer.interrupted(error);
      reconnect.failed(error);
    },
    taken: (committedAtUs) => observer.taken(committedAtUs),
    applied: (ms) => observer.applied(ms),
    left: (out) => observer.left(out),
    joined: (applied) => observer.joined(applied),
  };
}

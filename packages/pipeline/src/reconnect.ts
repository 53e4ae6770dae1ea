import { Deferred, ReplicationError } from "@lockstep/core";
import type { ReplicaObserver } from "./replica-observer.ts";
import type { PipelineStatus } from "./status.ts";

/** Of every replica of a pipeline. */
export class Reconnects {
  readonly #replicas: ReadonlyMap<string, Reconnect>;

  constructor(replicas: readonly string[]) {
    this.#replicas = new Map(replicas.map((replica) => [replica, new Reconnect()]));
  }

  of(replica: string): Reconnect {
    const reconnect = this.#replicas.get(replica);
    if (reconnect === undefined) throw new TypeError(`${replica} is no replica of the pipeline`);
    return reconnect;
  }

  /** As `Reconnect.ask`; rejects with `not-running` in a run that does not publish. */
  async ask(replica: string, state: PipelineStatus["state"]): Promise<void> {
    const reconnect = this.of(replica);
    if (state === "publishing") return await reconnect.ask();
    throw new ReplicationError(
      "not-running",
      `this run has no session with replica ${replica}: it is ${state}`,
      {
        fix: "ask the run that publishes",
      },
    );
  }
}

/** The wish, from outside, that a replica's session be dropped and the replica claimed anew. */
export class Reconnect {
  #asked = new AbortController();
  /** Somebody has a session with the replica, or is about to. */
  #isAttended = false;
  readonly #resting: Deferred<void>[] = [];
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

  /** What there is ends; whether the replica is enabled is looked at anew. */
  wake(): void {
    this.#asked.abort();
  }

  /** Resolves when there is no session with the replica. */
  async rested(): Promise<void> {
    if (!this.#isAttended) return;
    const resting = new Deferred<void>();
    this.#resting.push(resting);
    await resting.promise;
  }

  /** There is no session; the next attempts begin. Aborted when they are to end. */
  next(): AbortSignal {
    this.#isAttended = true;
    for (const resting of this.#resting.splice(0)) resting.resolve();
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
    this.#isAttended = false;
    for (const resting of this.#resting.splice(0)) resting.resolve();
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

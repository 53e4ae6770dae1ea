import { Deferred, includes, type ComparePositions, type Epoch, type Position } from "@lockstep/core";
import type { AckTracker } from "./ack-tracker.ts";
import { quorumNotReached, tooManyReplicas, writeLost } from "./wait-errors.ts";
import { Waiters, type Waiter } from "./waiters.ts";

export interface WaitOptions {
  /** So many; default: as many as the mode says. 0: durable in the log is enough. */
  readonly replicas?: number | undefined;
  /** The id of the epoch whose position it is; default: the one that is known, or else comes first. */
  readonly epoch?: string | undefined;
  /** Ends the wait, not the write. */
  readonly signal: AbortSignal;
}

/** As it was asked for. */
interface Asked {
  readonly position: Position;
  readonly needed: number | null;
  readonly settled: Deferred<number>;
  epoch: string | null;
  /** What it waits for in the epoch of the time; null before there is one. */
  placed: Placed | null;
}

interface Placed extends Waiter {
  readonly asked: Asked;
}

/** Calls that wait for replicas to have a position. They outlive terms, and a reign whose end lies behind them. */
export class Waiting {
  readonly #tracker: AckTracker;
  readonly #compare: ComparePositions;
  readonly #waiters: Waiters<Placed>;
  readonly #asked = new Set<Asked>();
  #epoch: Epoch | null = null;
  #hasEnded = false;

  constructor(tracker: AckTracker, compare: ComparePositions) {
    this.#tracker = tracker;
    this.#compare = compare;
    this.#waiters = new Waiters(compare);
  }

  /** The reign that is known; null before the first term. */
  get epoch(): Epoch | null {
    return this.#epoch;
  }

  /** A term begins, perhaps of another reign: what that has not is lost. */
  begin(epoch: Epoch): void {
    this.#epoch = epoch;
    this.#waiters.takeAll();
    for (const asked of this.#asked) this.#place(asked, epoch);
  }

  /**
   * Resolves with how many replicas have the position. Rejects with `quorum-not-reached` when it is aborted before,
   * with `write-lost` for a position that the present reign does not have.
   */
  async waitFor(position: Position, { replicas, epoch, signal }: WaitOptions): Promise<number> {
    if (replicas !== undefined) this.#expectPossible(replicas);
    const settled = new Deferred<number>();
    const asked = { position, needed: replicas ?? null, epoch: epoch ?? null, settled, placed: null };
    this.#asked.add(asked);
    if (this.#epoch !== null) this.#place(asked, this.#epoch);
    this.moved();
    const abort = (): void => this.#giveUp(asked, "the wait has ended");
    if (signal.aborted) abort();
    else if (this.#hasEnded) this.#giveUp(asked, "the pipeline has stopped");
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await settled.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Log or replicas may be further than before. */
  moved(): void {
    const tracker = this.#tracker;
    const reached = this.#waiters.take((needed) => tracker.reachedBy(needed ?? tracker.needed));
    for (const { position, asked } of reached) {
      this.#asked.delete(asked);
      asked.settled.resolve(tracker.count(position));
    }
  }

  /** Those that the log does not have: the lowest, … */
  get lowest(): Position | null {
    return this.#waiters.lowestAbove(this.#tracker.durable);
  }

  /** … and the highest, which none of these includes either. */
  highestBeside(known: readonly Position[]): Position | null {
    const { durable } = this.#tracker;
    return this.#waiters.highestAbove(...known, ...(durable === null ? [] : [durable]));
  }

  /** Those who wait for this position, or a higher one, wait for what will never come. */
  refuse(from: Position, error: unknown): void {
    for (const asked of this.#asked) {
      if (asked.placed !== null && includes(this.#compare, asked.placed.position, from))
        this.#reject(asked, error);
    }
  }

  /** Nothing moves any more. */
  end(): void {
    this.#hasEnded = true;
    for (const asked of this.#asked) this.#giveUp(asked, "the pipeline has stopped");
  }

  #expectPossible(replicas: number): void {
    const { enabled } = this.#tracker;
    const isPossible = Number.isInteger(replicas) && replicas >= 0 && replicas <= enabled;
    if (!isPossible) throw tooManyReplicas(replicas, enabled);
  }

  #place(asked: Asked, epoch: Epoch): void {
    asked.epoch ??= epoch.id;
    const position = this.#positionIn(epoch, asked.epoch, asked.position);
    if (position === null) return this.#reject(asked, writeLost(asked.position, asked.epoch, epoch));
    asked.placed = { position, needed: asked.needed, asked };
    this.#waiters.add(asked.placed);
  }

  /** Whoever has begun an epoch has all of the former ones that went on. Null: it did not. */
  #positionIn(epoch: Epoch, of: string, position: Position): Position | null {
    if (of === epoch.id) return position;
    const former = epoch.former.find(({ id }) => id === of);
    return former !== undefined && includes(this.#compare, former.last, position) ? epoch.start : null;
  }

  #giveUp(asked: Asked, why: string): void {
    const { position, placed } = asked;
    const needed = asked.needed ?? this.#tracker.needed;
    const have = placed === null ? 0 : this.#tracker.count(placed.position);
    this.#reject(asked, quorumNotReached({ position, have, needed }, why));
  }

  #reject(asked: Asked, error: unknown): void {
    this.#asked.delete(asked);
    if (asked.placed !== null) this.#waiters.remove(asked.placed);
    asked.settled.reject(error);
  }
}

import { includes, type ComparePositions, type Position } from "@lockstep/core";

/** Somebody who waits for replicas to have a position. */
export interface Waiter {
  readonly position: Position;
  /** How many replicas; null: as many as the mode says at the time. */
  readonly needed: number | null;
}

/** Who waits for what, in order of position, so that looking for those who have what they want costs no more than they. */
export class Waiters<W extends Waiter> {
  readonly #compare: ComparePositions;
  /** By how many replicas they need. */
  readonly #queues = new Map<number | null, W[]>();

  constructor(compare: ComparePositions) {
    this.#compare = compare;
  }

  /** Behind all who wait for the same position. */
  add(waiter: W): void {
    const queue = this.#queues.get(waiter.needed) ?? [];
    this.#queues.set(waiter.needed, queue);
    let at = queue.length;
    while (at > 0 && !this.#isPassed(queue[at - 1], waiter.position)) at -= 1;
    queue.splice(at, 0, waiter);
  }

  remove(waiter: W): void {
    const queue = this.#queues.get(waiter.needed);
    const at = queue?.indexOf(waiter) ?? -1;
    if (at >= 0) queue?.splice(at, 1);
  }

  /** Takes out who has what it waits for, where so many replicas have `reachedBy(needed)`. */
  take(reachedBy: (needed: number | null) => Position | null): W[] {
    return [...this.#queues].flatMap(([needed, queue]) => {
      const reached = queue.length === 0 ? null : reachedBy(needed);
      if (reached === null) return [];
      const left = queue.findIndex((waiter) => !this.#isPassed(waiter, reached));
      return queue.splice(0, left === -1 ? queue.length : left);
    });
  }

  takeAll(): W[] {
    return [...this.#queues.values()].flatMap((queue) => queue.splice(0));
  }

  /** The lowest position above `reached` that somebody waits for; null: none. */
  lowestAbove(reached: Position | null): Position | null {
    let lowest: Position | null = null;
    for (const queue of this.#queues.values()) {
      const next = queue.find((waiter) => reached === null || !this.#isPassed(waiter, reached));
      if (next !== undefined && (lowest === null || this.#isPassed(next, lowest))) lowest = next.position;
    }
    return lowest;
  }

  highestAbove(reached: Position | null): Position | null {
    let highest: Position | null = null;
    for (const queue of this.#queues.values()) {
      const last = queue.at(-1);
      if (last !== undefined && (highest === null || !this.#isPassed(last, highest))) highest = last.position;
    }
    const isAbove = highest !== null && (reached === null || !includes(this.#compare, reached, highest));
    return isAbove ? highest : null;
  }

  #isPassed(waiter: W | undefined, reached: Position): boolean {
    return waiter === undefined || includes(this.#compare, reached, waiter.position);
  }
}

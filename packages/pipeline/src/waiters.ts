import { includes, type ComparePositions, type Position } from "@lockstep/core";

/** Somebody who waits for replicas to have a position. */
export interface Waiter {
  readonly position: Position;
  /** How many replicas; null: as many as the mode says at the time. */
  readonly needed: number | null;
}

/**
 * Who waits for what, in order of position, so that looking for those who have what they want costs no more than they.
 * Positions that are unrelated (ids of single transactions, of a source that has such) stand in chains of their own:
 * nobody waits behind what may never come.
 */
export class Waiters<W extends Waiter> {
  readonly #compare: ComparePositions;
  /** By how many replicas they need; along a chain each position includes the one before. */
  readonly #chains = new Map<number | null, W[][]>();

  constructor(compare: ComparePositions) {
    this.#compare = compare;
  }

  /** Behind all who wait for the same position. */
  add(waiter: W): void {
    const chains = this.#chains.get(waiter.needed) ?? [];
    this.#chains.set(waiter.needed, chains);
    if (!chains.some((chain) => this.#isTakenInto(chain, waiter))) chains.push([waiter]);
  }

  remove(waiter: W): void {
    const chains = this.#chains.get(waiter.needed) ?? [];
    for (const chain of chains) {
      const at = chain.indexOf(waiter);
      if (at >= 0) chain.splice(at, 1);
    }
    this.#keepFilled(waiter.needed, chains);
  }

  /** Takes out who has what it waits for, where so many replicas have `reachedBy(needed)`. */
  take(reachedBy: (needed: number | null) => Position | null): W[] {
    return [...this.#chains].flatMap(([needed, chains]) => {
      const reached = reachedBy(needed);
      if (reached === null) return [];
      const taken = chains.flatMap((chain) => {
        const left = chain.findIndex((waiter) => !this.#isPassed(waiter, reached));
        return chain.splice(0, left === -1 ? chain.length : left);
      });
      this.#keepFilled(needed, chains);
      return taken;
    });
  }

  takeAll(): W[] {
    const all = [...this.#chains.values()].flat(2);
    this.#chains.clear();
    return all;
  }

  /** The lowest position above `reached` that somebody waits for, or one of them; null: none. */
  lowestAbove(reached: Position | null): Position | null {
    let lowest: Position | null = null;
    for (const chain of this.#eachChain()) {
      const next = chain.find((waiter) => reached === null || !this.#isPassed(waiter, reached));
      if (next !== undefined && (lowest === null || this.#isPassed(next, lowest))) lowest = next.position;
    }
    return lowest;
  }

  /** The highest position that somebody waits for and none of these includes, or one of them; null: none. */
  highestAbove(...reached: readonly Position[]): Position | null {
    let highest: Position | null = null;
    for (const chain of this.#eachChain()) {
      const last = chain.at(-1);
      if (last === undefined || reached.some((position) => this.#isPassed(last, position))) continue;
      if (highest === null || !this.#isPassed(last, highest)) highest = last.position;
    }
    return highest;
  }

  *#eachChain(): Generator<W[]> {
    for (const chains of this.#chains.values()) yield* chains;
  }

  /** Where it stands between its like; false: with one of its neighbours it has nothing to do. */
  #isTakenInto(chain: W[], waiter: W): boolean {
    let at = chain.length;
    for (let before = chain[at - 1]; before !== undefined; before = chain[at - 1]) {
      if (this.#isPassed(before, waiter.position)) break;
      at -= 1;
    }
    const next = chain[at];
    if (next !== undefined && !this.#isPassed(waiter, next.position)) return false;
    chain.splice(at, 0, waiter);
    return true;
  }

  #keepFilled(needed: number | null, chains: readonly W[][]): void {
    const filled = chains.filter((chain) => chain.length > 0);
    if (filled.length === 0) this.#chains.delete(needed);
    else if (filled.length < chains.length) this.#chains.set(needed, filled);
  }

  #isPassed(waiter: W, reached: Position): boolean {
    return includes(this.#compare, reached, waiter.position);
  }
}

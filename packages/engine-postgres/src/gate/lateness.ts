import { includes, type Position } from "@lockstep/core";
import { comparePositions } from "../position.ts";

/** How exactly it is known since when something waits. */
const STEP_MS = 250;
/** Above, every other one is forgotten: what is late by so much is late. */
const MAX_MARKS = 128;

interface Mark {
  readonly position: Position;
  readonly sinceMs: number;
}

/** How long the oldest position that is not reached has been waiting, though others are reached all the while. */
export class Lateness {
  /** In order. What lies between two of them is as old as the latter. */
  #marks: readonly Mark[] = [];

  /** `ahead` is where it is to get, `behind` where it is. */
  look(ahead: Position | null, behind: Position | null, nowMs: number): void {
    const first = this.#marks.findIndex(({ position }) => !isReached(behind, position));
    if (first !== 0) this.#marks = first < 0 ? [] : this.#marks.slice(first);
    if (ahead === null || isReached(behind, ahead)) return;
    const last = this.#marks.at(-1);
    if (last !== undefined && (nowMs - last.sinceMs < STEP_MS || isReached(last.position, ahead))) return;
    this.#marks = [...this.#marks, { position: ahead, sinceMs: nowMs }];
    if (this.#marks.length > MAX_MARKS) this.#marks = this.#marks.filter((_, index) => index % 2 === 0);
  }

  /** 0 where nothing waits. */
  ms(nowMs: number): number {
    const [oldest] = this.#marks;
    return oldest === undefined ? 0 : nowMs - oldest.sinceMs;
  }
}

/** Null is before everything. */
export function isReached(behind: Position | null, position: Position): boolean {
  return behind !== null && includes(comparePositions, behind, position);
}

import { includes, type Position } from "@lockstep/core";
import { comparePositions } from "../position.ts";

/** How long one position has been waiting for another to reach it. */
export class Lateness {
  #mark: { readonly position: Position; readonly sinceMs: number } | null = null;

  /** `ahead` is where it is to get, `behind` where it is. */
  look(ahead: Position | null, behind: Position | null, nowMs: number): void {
    if (this.#mark !== null && isReached(behind, this.#mark.position)) this.#mark = null;
    if (ahead === null || isReached(behind, ahead)) return;
    this.#mark ??= { position: ahead, sinceMs: nowMs };
  }

  /** 0 where nothing waits. */
  ms(nowMs: number): number {
    return this.#mark === null ? 0 : nowMs - this.#mark.sinceMs;
  }
}

/** Null is before everything. */
export function isReached(behind: Position | null, position: Position): boolean {
  return behind !== null && includes(comparePositions, behind, position);
}

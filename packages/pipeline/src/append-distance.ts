/** More transactions a millisecond than these are many. */
const MANY_PER_MS = 2;
/** The rate is a mean over about so long: commits come in bursts. */
const MEAN_OVER_MS = 20;
/** So far apart do appends begin where many transactions come that nobody waits for, … */
const DISTANCE_MS = 5;
/** … and that somebody waits for. */
const AWAITED_DISTANCE_MS = 1;

/**
 * How far apart appends are. Each costs a request, and a target transaction of each replica, on processors that the
 * primary may need: where many transactions come, they are appended together.
 */
export class AppendDistance {
  #beganMs = -Infinity;
  #perMs = 0;

  /** An append begins, of so many transactions. */
  begin(transactions: number): void {
    const nowMs = performance.now();
    const kept = Math.exp((this.#beganMs - nowMs) / MEAN_OVER_MS);
    this.#perMs = this.#perMs * kept + transactions / MEAN_OVER_MS;
    this.#beganMs = nowMs;
  }

  /** How long the next one should still wait for more. */
  leftMs(isAwaited: boolean): number {
    if (this.#perMs <= MANY_PER_MS) return 0;
    const distanceMs = isAwaited ? AWAITED_DISTANCE_MS : DISTANCE_MS;
    return Math.max(0, this.#beganMs + distanceMs - performance.now());
  }
}

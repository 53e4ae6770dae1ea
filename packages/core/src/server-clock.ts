/** What was heard longer ago than this and the like is forgotten: clocks are set back now and then, and drift. */
const FORGET_MS = 300_000;

/**
 * The server's clock, by what its messages say of when they were sent. A message may have lain in a buffer, never
 * come early: so the furthest ahead of ours that it was heard lately is the nearest to the truth.
 */
export class ServerClock {
  #aheadUs = -Infinity;
  #formerUs = -Infinity;
  #sinceMs = 0;

  /** A message of `sentUs`, in microseconds since 1970, was read at `atMs` of `performance.now()`. */
  heard(sentUs: number, atMs: number): void {
    if (atMs - this.#sinceMs > FORGET_MS) {
      this.#formerUs = this.#aheadUs;
      this.#aheadUs = -Infinity;
      this.#sinceMs = atMs;
    }
    this.#aheadUs = Math.max(this.#aheadUs, sentUs - atMs * 1_000);
  }

  /** Microseconds since 1970; null before anything was heard. */
  get nowUs(): number | null {
    const aheadUs = Math.max(this.#aheadUs, this.#formerUs);
    return aheadUs === -Infinity ? null : aheadUs + performance.now() * 1_000;
  }
}

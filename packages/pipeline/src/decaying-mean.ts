/** What is older than this counts little. */
const TIME_CONSTANT_MS = 60_000;

/** The mean of about the last minute; of what there was before, when nothing has come since. */
export class DecayingMean {
  #sum = 0;
  #weight = 0;
  #atMs = 0;

  add(value: number, nowMs: number): void {
    const kept = Math.exp((this.#atMs - nowMs) / TIME_CONSTANT_MS);
    this.#sum = this.#sum * kept + value;
    this.#weight = this.#weight * kept + 1;
    this.#atMs = nowMs;
  }

  /** Null before the first value. */
  get value(): number | null {
    return this.#weight === 0 ? null : this.#sum / this.#weight;
  }
}

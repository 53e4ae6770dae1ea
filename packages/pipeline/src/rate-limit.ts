import { setTimeout as sleep } from "node:timers/promises";

/** A range is read in a second or so: so long may somebody who alters its table wait for us (H1). */
const RANGE_BYTES = 32 * 1024 * 1024;
const LEAST_RANGE_BYTES = 1024 * 1024;

/** So much may pass at once after a quiet while. */
const BURST_MS = 100;

/** How many bytes a second all copies of a pipeline may read together; null: as many as they can. */
export class RateLimit {
  readonly #bytesPerSecond: number | null;
  /** Until when what has passed so far would take at the allowed rate. */
  #paidUntilMs = 0;

  constructor(bytesPerSecond: number | null) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** How large ranges should be when so many are read at the same time. */
  rangeBytes(parallel: number): number {
    if (this.#bytesPerSecond === null) return RANGE_BYTES;
    return Math.min(RANGE_BYTES, Math.max(LEAST_RANGE_BYTES, this.#bytesPerSecond / parallel));
  }

  /** The same bytes, no quicker than allowed. `onBytes` hears of each chunk. */
  async *limit(
    rows: AsyncIterable<Uint8Array>,
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of rows) {
      onBytes(chunk.length);
      await this.#take(chunk.length, signal);
      yield chunk;
    }
  }

  async #take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === null) return;
    const nowMs = performance.now();
    const costMs = (bytes / this.#bytesPerSecond) * 1_000;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - BURST_MS) + costMs;
    const waitMs = this.#paidUntilMs - nowMs;
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
  }
}

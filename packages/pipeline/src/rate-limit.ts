import { setTimeout as sleep } from "node:timers/promises";
import { Transform, type Readable } from "node:stream";

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

  /** The same bytes, no quicker than allowed. `onBytes` hears of each chunk. */
  limit(rows: Readable, onBytes: (bytes: number) => void, signal: AbortSignal): Readable {
    const take = async (bytes: number): Promise<void> => await this.#take(bytes, signal);
    const limited = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        onBytes(chunk.length);
        take(chunk.length).then(() => done(null, chunk), done);
      },
    });
    rows.on("error", (error) => limited.destroy(error));
    limited.on("close", () => rows.destroy());
    return rows.pipe(limited);
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

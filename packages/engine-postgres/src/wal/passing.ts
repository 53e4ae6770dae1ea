import { Deferred, includes, type Position } from "@lockstep/core";
import { comparePositions, later } from "../position.ts";

/** A server that has nothing to send says where it is when it is asked; soon, since somebody waits, … */
const FIRST_ASK_MS = 10;
/** … and less often while it works through its log. */
const LAST_ASK_MS = 1_000;

/** Who waits for the stream to pass a position: the server is asked where it is until it has. */
export class Passing {
  readonly #ask: () => void;
  readonly #waiting = new Map<Deferred<void>, Position>();
  #position: Position | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** Everything through `position` has come. */
  moveTo(position: Position): void {
    this.#position = later(this.#position, position);
    if (this.#waiting.size === 0) return;
    for (const [passed, awaited] of this.#waiting) if (this.has(awaited)) passed.resolve();
  }

  /** Everything through here has come; null before anything has. */
  get position(): Position | null {
    return this.#position;
  }

  has(position: Position): boolean {
    return this.#position !== null && includes(comparePositions, this.#position, position);
  }

  /** Resolves when the stream has passed a position; rejects with what ends the stream, or when aborted. */
  async wait(position: Position, signal: AbortSignal): Promise<void> {
    const passed = new Deferred<void>();
    const abort = (): void => passed.reject(signal.reason);
    let timer: NodeJS.Timeout | undefined;
    const ask = (nextMs: number): void => {
      this.#ask();
      timer = setTimeout(() => ask(Math.min(nextMs * 2, LAST_ASK_MS)), nextMs);
    };
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure.error;
    if (this.has(position)) return;
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.set(passed, position);
    ask(FIRST_ASK_MS);
    try {
      await passed.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(passed);
      signal.removeEventListener("abort", abort);
    }
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    for (const passed of this.#waiting.keys()) passed.reject(this.#failure.error);
  }
}

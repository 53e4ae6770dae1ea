import { setTimeout as sleep } from "node:timers/promises";
import {
  Backoff,
  hasCode,
  includes,
  type ComparePositions,
  type Logger,
  type Position,
  type SourceSession,
} from "@lockstep/core";

/** What the primary writes and flushes by itself comes sooner: only what stands still is worth a commit there. */
const GRACE_MS = 10;
/** How often it is tried again when the primary takes no session for it. */
/** Of unrelated positions: one that is forgotten is asked for once more. */
const REMEMBERED = 100;
const TRY_AGAIN = { firstDelayMs: 500, maxDelayMs: 10_000 };

export interface NudgingOptions {
  readonly compare: ComparePositions;
  readonly logger: Logger;
  /** The highest position that is waited for, not in the log, and in none of these; null: none. */
  readonly highest: (passed: readonly Position[]) => Position | null;
  /** Nobody can have this position, or a higher one. */
  readonly refuse: (from: Position, error: unknown) => void;
}

/** Makes a quiet source pass what is waited for: one request for all who wait. */
export class Nudging {
  readonly #options: NudgingOptions;
  #wake: () => void = () => undefined;

  constructor(options: NudgingOptions) {
    this.#options = options;
  }

  /** Somebody waits for something else than before. */
  look(): void {
    this.#wake();
  }

  /** Resolves when aborted. */
  async run(session: Pick<SourceSession, "nudge">, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(TRY_AGAIN);
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    let passed: readonly Position[] = [];
    while (!signal.aborted) {
      const position = this.#options.highest(passed);
      if (position === null) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if (await this.#nudge(session, { position, backoff }, signal))
        passed = this.#with(passed, position);
    }
  }

  /** One, but for unrelated ones. */
  #with(passed: readonly Position[], position: Position): readonly Position[] {
    const { compare } = this.#options;
    return [position, ...passed.filter((other) => !includes(compare, position, other))].slice(0, REMEMBERED);
  }

  /** Whether the source has passed the position. */
  async #nudge(
    session: Pick<SourceSession, "nudge">,
    { position, backoff }: { readonly position: Position; readonly backoff: Backoff },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { highest, refuse } = this.#options;
    try {
      await sleep(GRACE_MS, undefined, { signal });
      if (highest([]) === null) return false; // It has come by itself.
      await session.nudge(position, signal);
      backoff.reset();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (hasCode(error, "write-lost")) refuse(position, error);
      else await this.#waitAfter(error, backoff, signal);
      return false;
    }
  }

  async #waitAfter(error: unknown, backoff: Backoff, signal: AbortSignal): Promise<void> {
    this.#options.logger.warn(
      { err: error },
      "the primary cannot be made to pass what is waited for; trying again",
    );
    await backoff.wait(signal).catch(() => undefined);
  }
}

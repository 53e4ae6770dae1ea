import { ReplicationError } from "@lockstep/core";

/** A server that said nothing for so long is asked, … */
const ASK_AFTER_MS = 10_000;
/** … and given up when it does not answer and has nothing to do. */
const GIVE_UP_AFTER_MS = 30_000;
/** So long may something be owed to a server that asked for it, before we look whether it shuts down. */
const OWED_MS = 3_000;

export interface StreamWatchOptions {
  /** Whether the server still works for us, though it says nothing. */
  readonly isDecoding: () => Promise<boolean>;
  /** Whether the server waits for nobody but us. */
  readonly isShuttingDown: () => Promise<boolean>;
  /** Ends the stream. */
  readonly fail: (error: ReplicationError) => void;
  readonly now?: () => number;
}

/** Looks after a stream that stands still: whose fault it is, and whether it keeps the server from stopping (H1). */
export class StreamWatch {
  readonly #options: StreamWatchOptions;
  readonly #now: () => number;
  #receivedMs: number;
  /** Since when the server waits to hear of something that we cannot confirm yet. */
  #owedMs: number | null = null;
  #isAsking = false;

  constructor(options: StreamWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#receivedMs = this.#now();
  }

  received(): void {
    this.#receivedMs = this.#now();
  }

  /** Returns whether the server should be asked for a word. */
  tick({ isPaused, isOwed }: { readonly isPaused: boolean; readonly isOwed: boolean }): boolean {
    const now = this.#now();
    if (isPaused) this.#receivedMs = now;
    if (!isPaused && !isOwed) this.#owedMs = null;
    else this.#owedMs ??= now;
    const silentMs = now - this.#receivedMs;
    if (silentMs > GIVE_UP_AFTER_MS) this.#ask(async () => await this.#askIfDecoding(silentMs));
    else if (this.#owedMs !== null && now - this.#owedMs > OWED_MS) {
      this.#ask(async () => await this.#askIfShuttingDown());
    }
    return silentMs > ASK_AFTER_MS;
  }

  async #askIfDecoding(silentMs: number): Promise<void> {
    const receivedMs = this.#receivedMs;
    const isDecoding = await this.#options.isDecoding();
    if (this.#receivedMs !== receivedMs) return;
    if (isDecoding) return this.received();
    const seconds = Math.round(silentMs / 1_000);
    this.#options.fail(new ReplicationError("connection-lost", `the primary was silent for ${seconds} s`));
  }

  async #askIfShuttingDown(): Promise<void> {
    if (await this.#options.isShuttingDown()) {
      this.#options.fail(
        new ReplicationError(
          "server-unavailable",
          "the primary shuts down; it is let go, what the log does not hold comes again afterwards",
        ),
      );
    }
    if (this.#owedMs !== null) this.#owedMs = this.#now();
  }

  #ask(work: () => Promise<void>): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    void work().finally(() => (this.#isAsking = false));
  }
}

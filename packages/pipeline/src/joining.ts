import {
  actionOf,
  Backoff,
  tableLabel,
  type Logger,
  type ReplicaTable,
  type TargetTransaction,
} from "@lockstep/core";
import type { FollowedSession } from "./follower.ts";

/** How often a table that cannot be copied is tried again. */
const TRY_AGAIN = { firstDelayMs: 1_000, maxDelayMs: 30_000 };

/** Copies tables that came to a live replica, beside its applier, until they are there. */
export class JoiningCopy implements AsyncDisposable {
  readonly #copy: (tables: readonly ReplicaTable[], signal: AbortSignal) => Promise<void>;
  readonly #logger: Logger;
  readonly #replica: string;
  readonly #ended = new AbortController();
  readonly #backoff = new Backoff(TRY_AGAIN);
  #running: Promise<void> | null = null;
  #hasCopied = false;

  constructor(
    replica: string,
    copy: (tables: readonly ReplicaTable[], signal: AbortSignal) => Promise<void>,
    logger: Logger,
  ) {
    this.#replica = replica;
    this.#copy = copy;
    this.#logger = logger;
  }

  /** Something was copied since `look`. */
  get hasCopied(): boolean {
    return this.#hasCopied;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  look(): void {
    this.#hasCopied = false;
  }

  /** Copies these, unless a copy is under way: then they come after it. */
  start(tables: readonly ReplicaTable[]): void {
    if (tables.length === 0 || this.#running !== null) return;
    this.#running = this.#run(tables).finally(() => {
      this.#running = null;
      this.#hasCopied = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(tables: readonly ReplicaTable[]): Promise<void> {
    const { signal } = this.#ended;
    try {
      await this.#copy(tables, signal);
    } catch (error) {
      if (signal.aborted) return;
      const fields = { replica: this.#replica, tables: tables.map(tableLabel), err: error };
      if (actionOf(error) === "retry") this.#logger.warn(fields, "the copy of new tables was interrupted");
      else this.#logger.error(fields, "new tables cannot be copied; trying again");
      await this.#backoff.wait(signal).catch(() => undefined);
      return;
    }
    this.#backoff.reset();
  }
}

/**
 * A session that applies everything inside one open target transaction, and stores nothing: what joins a live
 * replica is there entirely, or not at all.
 */
export function withinTransaction(target: TargetTransaction): FollowedSession {
  return {
    apply: async (window, signal) => await target.apply(window, signal),
    saveProgress: async () => await Promise.resolve(),
    openTransaction: async (openSignal) => {
      await target.savepoint(openSignal);
      return {
        apply: async (piece, signal) => await target.apply(piece, signal),
        commit: async () => await Promise.resolve(),
        rollback: async (signal) => await target.rollbackTo(signal),
        savepoint: async (signal) => await target.savepoint(signal),
        rollbackTo: async (signal) => await target.rollbackTo(signal),
        join: async (tables, signal) => await target.join(tables, signal),
      };
    },
  };
}

import {
  actionOf,
  Backoff,
  hasCode,
  tableKey,
  tableLabel,
  type Logger,
  type ReplicaTable,
} from "@lockstep/core";
import { byStart, type CopiedTables } from "./catch-up.ts";
import type { LeftOut } from "./replica-observer.ts";

/** How often a table that cannot be copied is tried again. */
const TRY_AGAIN = { firstDelayMs: 1_000, maxDelayMs: 30_000 };

export interface JoiningWork {
  /** Resolves with those that are copied now; others are gone from the source. */
  readonly copy: (tables: readonly ReplicaTable[], signal: AbortSignal) => Promise<readonly ReplicaTable[]>;
  /** Resolves when copied tables are near the replica's position; false: it is still to pass their view. */
  readonly catchUp: (group: CopiedTables, signal: AbortSignal) => Promise<boolean>;
  /** What failed in the last round; null when nothing did. */
  readonly onLeftOut: (out: LeftOut | null) => void;
}

/** Copies tables that came to a live replica, and brings them near its position, beside its applier. */
export class JoiningTables implements AsyncDisposable {
  readonly #work: JoiningWork;
  readonly #logger: Logger;
  readonly #replica: string;
  readonly #ended = new AbortController();
  readonly #backoff = new Backoff(TRY_AGAIN);
  readonly #near = new Set<string>();
  readonly #refused = new Set<string>();
  /** Those in hand. */
  #taken: ReadonlySet<string> = new Set();
  /** Ends a wait after a failure. */
  #wake = new AbortController();
  #running: Promise<void> | null = null;
  #hasEnded = false;

  constructor(replica: string, work: JoiningWork, logger: Logger) {
    this.#replica = replica;
    this.#work = work;
    this.#logger = logger;
  }

  /** Something was done since `look`. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  look(): void {
    this.#hasEnded = false;
  }

  /** Only the last step is left of it. */
  isNear(table: ReplicaTable): boolean {
    return this.#near.has(tableKey(table));
  }

  /** The replica did not take what its copy lacks. */
  isRefused(table: ReplicaTable): boolean {
    return this.#refused.has(tableKey(table));
  }

  /**
   * Takes up tables that are copied already, then pending ones; unless it has something in hand: then they come after
   * it, but wait for no failure of others.
   */
  start(copied: readonly ReplicaTable[], pending: readonly ReplicaTable[]): void {
    const behind = copied.filter((table) => !this.isNear(table));
    const keys = [...behind, ...pending].map(tableKey);
    if (this.#running !== null) {
      if (keys.some((key) => !this.#taken.has(key))) this.#wake.abort();
      return;
    }
    if (keys.length === 0) return;
    for (const table of pending) this.#near.delete(tableKey(table));
    this.#taken = new Set(keys);
    this.#wake = new AbortController();
    this.#running = this.#run(behind, pending).finally(() => {
      this.#running = null;
      this.#hasEnded = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  /** What cannot be done for some tables is done for the others. */
  async #run(behind: readonly ReplicaTable[], pending: readonly ReplicaTable[]): Promise<void> {
    const { signal } = this.#ended;
    const left: LeftOut[] = [];
    for (const group of byStart(behind)) {
      left.push(...(await this.#try(group.tables, async () => await this.#bringNear([group], signal))));
    }
    if (pending.length > 0) {
      const copy = async (): Promise<void> =>
        await this.#bringNear(byStart(await this.#work.copy(pending, signal)), signal);
      left.push(...(await this.#try(pending, copy)));
    }
    const [first] = left;
    const out = first && { tables: left.flatMap(({ tables }) => tables), error: first.error };
    if (!signal.aborted) this.#work.onLeftOut(out ?? null);
    if (out === undefined) this.#backoff.reset();
    else await this.#backoff.wait(AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
  }

  /** Says what failed, if anything did. */
  async #try(tables: readonly ReplicaTable[], work: () => Promise<void>): Promise<LeftOut[]> {
    const { signal } = this.#ended;
    try {
      signal.throwIfAborted();
      await work();
      return [];
    } catch (error) {
      const labels = tables.map(tableLabel);
      if (signal.aborted) return [{ tables: labels, error }];
      const fields = { replica: this.#replica, tables: labels, err: error };
      if (actionOf(error) === "retry") this.#logger.warn(fields, "taking new tables in was interrupted");
      else this.#logger.error(fields, "new tables cannot be taken in; trying again");
      return [{ tables: labels, error }];
    }
  }

  async #bringNear(groups: readonly CopiedTables[], signal: AbortSignal): Promise<void> {
    for (const group of groups) {
      const keys = group.tables.map(tableKey);
      try {
        const isNear = await this.#work.catchUp(group, signal);
        for (const key of keys) this.#refused.delete(key);
        if (!isNear) continue;
      } catch (error) {
        if (!hasCode(error, "history-gap")) {
          if (actionOf(error) !== "retry") for (const key of keys) this.#refused.add(key);
          throw error;
        }
        // The last step meets it again, and has them copied anew.
      }
      for (const key of keys) this.#near.add(key);
    }
  }
}

import {
  hasCode,
  ReplicationError,
  type ClientResult,
  type ClientRow,
  type ClientTransaction,
} from "@lockstep/core";
import type { DatabaseReplicationManager } from "./manager.ts";

export interface WriteOptions {
  /** How long the replicas of a quorum may take, in the modes that wait for one; default: 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait, not the write. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReplicatedOptions {
  /** Of every write that does not say otherwise. */
  readonly timeoutMs?: number;
}

export interface Written<R extends object = ClientRow> extends ClientResult<R> {
  /** What reads that must see this write are given as `after`. */
  readonly token: string;
}

/**
 * The primary as an application writes to it. In the modes `semi-sync` and `sync` a write resolves when the quorum
 * has it; a wait that ends before rejects with `quorum-not-reached`, and the write is committed all the same.
 */
export class ReplicatedDatabase {
  readonly #manager: DatabaseReplicationManager;
  readonly #options: ReplicatedOptions;

  constructor(manager: DatabaseReplicationManager, options: ReplicatedOptions = {}) {
    this.#manager = manager;
    this.#options = options;
  }

  /** One statement, in a transaction of its own. Errors of `pg` pass through. */
  async execute<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
    options: WriteOptions = {},
  ): Promise<Written<R>> {
    const { clients, built, stopping } = this.#manager.running;
    const tokenOf = await built.tokens.maker(stopping);
    const { result, position } = await clients.primary.execute<R>(statement, values);
    const token = tokenOf(position);
    await this.#waitFor(token, options);
    return { ...result, token };
  }

  /**
   * Several statements in one transaction, and one wait. Resolves with what `work` does; when `work` rejects, or a
   * statement in it failed, nothing is committed. `work` may run on its own time: the session is its alone.
   */
  async transaction<T>(
    work: (transaction: DatabaseTransaction) => Promise<T>,
    options: WriteOptions = {},
  ): Promise<{ readonly result: T; readonly token: string }> {
    const { clients, built, stopping } = this.#manager.running;
    const tokenOf = await built.tokens.maker(stopping);
    const { result, position } = await clients.primary.transaction(
      async (transaction) => await work(new DatabaseTransaction(transaction)),
    );
    const token = tokenOf(position);
    await this.#waitFor(token, options);
    return { result, token };
  }

  /** The first row, or null. */
  async fetchOne<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<R | null> {
    return (await this.fetchAll<R>(statement, values))[0] ?? null;
  }

  async fetchAll<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<readonly R[]> {
    return (await this.#manager.running.clients.primary.fetch<R>(statement, values)).rows;
  }

  async #waitFor(
    token: string,
    { timeoutMs = this.#options.timeoutMs, signal }: WriteOptions,
  ): Promise<void> {
    const { built } = this.#manager.running;
    if (built.options.config.mode === "async") return;
    try {
      await built.wait({ token, timeoutMs, signal });
    } catch (error) {
      throw committedWithout(error, token);
    }
  }
}

/** Within `transaction`'s callback, and of no use behind it. */
export class DatabaseTransaction {
  readonly #transaction: ClientTransaction;

  constructor(transaction: ClientTransaction) {
    this.#transaction = transaction;
  }

  async execute<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<ClientResult<R>> {
    return await this.#transaction.query<R>(statement, values);
  }

  /** The first row, or null. */
  async fetchOne<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<R | null> {
    return (await this.fetchAll<R>(statement, values))[0] ?? null;
  }

  async fetchAll<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[] = [],
  ): Promise<readonly R[]> {
    return (await this.#transaction.query<R>(statement, values)).rows;
  }
}

/** The write is committed; of the wait for replicas only what went wrong is not known yet. */
function committedWithout(error: unknown, token: string): ReplicationError {
  if (hasCode(error, "quorum-not-reached", "write-lost")) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new ReplicationError(
    "quorum-not-reached",
    `the write is committed on the primary, but not waited for: ${why}`,
    {
      cause: error,
      fix: "do not write again; wait again with the same token",
      fields: { token },
    },
  );
}

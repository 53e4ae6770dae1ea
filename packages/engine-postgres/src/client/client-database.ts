import {
  position,
  ReplicationError,
  SessionPool,
  type ClientDatabase,
  type ClientResult,
  type ClientRow,
  type ClientTransaction,
  type Committed,
  type Position,
} from "@lockstep/core";
import type { Client, QueryResult } from "pg";
import { connect, sqlStateOf } from "../connection.ts";
import { targetOf } from "../link/target.ts";
import { PostgresSession } from "./postgres-session.ts";

/**
 * At or above the end of every commit that was answered before, also with `synchronous_commit = off`, where
 * `pg_current_wal_lsn()` would still lie below it.
 */
const COMMITTED_THROUGH = `select pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text as "position"`;

/** The server says goodbye, and then ends the session. */
const ENDED: readonly string[] = ["57P01", "57P02", "57P03", "57P05"];

export interface PostgresClientOptions {
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
  readonly maxSessions: number;
  /** Of a replica: writing there would be a conflict. */
  readonly isReadOnly: boolean;
}

/** PostgreSQL as an application uses it: `pg`'s sessions, with the role's own settings. */
export function createPostgresClient(options: PostgresClientOptions): ClientDatabase {
  return new PostgresClient(options);
}

class PostgresClient implements ClientDatabase {
  readonly #pool: SessionPool<PostgresSession>;
  readonly #place: string;

  constructor({ url, folder, pipeline, maxSessions, isReadOnly }: PostgresClientOptions) {
    const settings = isReadOnly ? { default_transaction_read_only: "on" } : {};
    const target = { url, folder, pipeline, settings, role: "client" } as const;
    this.#place = targetOf(target).place;
    this.#pool = new SessionPool({
      open: async (signal) => new PostgresSession(await connect(target, signal)),
      max: maxSessions,
    });
  }

  async fetch<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<ClientResult<R>> {
    return await this.#pool.use(async (session) => {
      try {
        return resultOf(await session.client.query<R>(statement, [...values]));
      } catch (error) {
        if (!session.isLost && !ENDED.includes(sqlStateOf(error) ?? "")) throw error;
        throw new ReplicationError("connection-lost", `${this.#place}: the session broke`, { cause: error });
      }
    });
  }

  async execute<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<Committed<ClientResult<R>>> {
    return await this.#pool.use(async ({ client }) => {
      const answered = client.query<R>(statement, [...values]);
      const [result, reached] = await located(client, answered);
      if (client.getTransactionStatus() !== "I") throw leftOpen();
      return { result: resultOf(result), position: reached };
    });
  }

  async transaction<T>(work: (transaction: ClientTransaction) => Promise<T>): Promise<Committed<T>> {
    return await this.#pool.use(async ({ client }) => {
      const transaction = new PostgresTransaction(client);
      const begun = quiet(client.query("begin"));
      const result = await resultOfWork(work, transaction, client);
      const committed = quiet(client.query("commit"));
      const [{ command }, reached] = await located(client, committed);
      await begun;
      if (command === "ROLLBACK") throw transaction.failure;
      return { result, position: reached };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

async function resultOfWork<T>(
  work: (transaction: ClientTransaction) => Promise<T>,
  transaction: PostgresTransaction,
  client: Client,
): Promise<T> {
  try {
    return await work(transaction);
  } catch (error) {
    await client.query("rollback").catch(() => undefined); // Behind all that `work` has not waited for.
    throw error;
  } finally {
    transaction.end();
  }
}

class PostgresTransaction implements ClientTransaction {
  readonly #client: Client;
  #hasEnded = false;
  #failure: unknown = new Error("the transaction was rolled back by one of its own statements");
  #hasFailed = false;

  constructor(client: Client) {
    this.#client = client;
  }

  async query<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<ClientResult<R>> {
    if (this.#hasEnded) throw new TypeError("the transaction has ended: use it only within its callback");
    try {
      return resultOf(await this.#client.query<R>(statement, [...values]));
    } catch (error) {
      if (!this.#hasFailed) this.#failure = error;
      this.#hasFailed = true;
      throw error;
    }
  }

  end(): void {
    this.#hasEnded = true;
  }

  /** Why it cannot be committed. */
  get failure(): unknown {
    return this.#failure;
  }
}

/** With the position after it: asked for in the same round trip, before the answer is there. */
async function located<T>(client: Client, answered: Promise<T>): Promise<readonly [T, Position]> {
  const asked = quiet(client.query<{ position: string }>(COMMITTED_THROUGH));
  try {
    const result = await answered;
    return [result, position((await asked).rows[0]?.position ?? "")];
  } finally {
    await asked.catch(() => undefined); // What is lent on has been answered.
  }
}

function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined); // It is awaited later, unless something else has failed before.
  return promise;
}

/** Of several statements in one text the last one's. */
function resultOf<R extends object>(result: QueryResult<R> | readonly QueryResult<R>[]): ClientResult<R> {
  const last = isOne(result) ? result : result.at(-1);
  return { rows: last?.rows ?? [], rowCount: last?.rowCount ?? null };
}

function isOne<R extends object>(
  result: QueryResult<R> | readonly QueryResult<R>[],
): result is QueryResult<R> {
  return !Array.isArray(result);
}

function leftOpen(): ReplicationError {
  return new ReplicationError("config-invalid", "the statement left a transaction open; it was rolled back", {
    fix: "use transaction(async (tx) => …) instead of BEGIN and COMMIT as statements of their own",
  });
}

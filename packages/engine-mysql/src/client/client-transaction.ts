import { ReplicationError, type ClientResult, type ClientRow, type ClientTransaction } from "@lockstep/core";
import type { MysqlSession } from "./mysql-session.ts";

type ResultOf = <R extends object>(answer: unknown) => ClientResult<R>;

/** The server would commit what is left of a transaction in which a statement failed: it is rolled back by us. */
export class MysqlTransaction implements ClientTransaction {
  readonly #session: MysqlSession;
  readonly #resultOf: ResultOf;
  readonly #asked = new Set<Promise<unknown>>();
  #failure: { readonly error: unknown } | null = null;
  #hasEnded = false;

  constructor(session: MysqlSession, resultOf: ResultOf) {
    this.#session = session;
    this.#resultOf = resultOf;
  }

  async query<R extends object = ClientRow>(
    statement: string,
    values: readonly unknown[],
  ): Promise<ClientResult<R>> {
    if (this.#hasEnded) throw new TypeError("the transaction has ended: use it only within its callback");
    const answered = this.#ask<R>(statement, values);
    this.#asked.add(answered);
    try {
      return await answered;
    } finally {
      this.#asked.delete(answered);
    }
  }

  /** Resolves when all that it was asked is answered, and it may be committed; else rejects with the reason. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await Promise.allSettled(this.#asked);
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #ask<R extends object>(statement: string, values: readonly unknown[]): Promise<ClientResult<R>> {
    try {
      const [answer, told] = await this.#session.ask(statement, values);
      if (told !== null && (!told.isInTransaction || told.ids !== null)) throw endedItself();
      return this.#resultOf<R>(answer);
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }
}

function endedItself(): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    "a statement ended its transaction (as CREATE, ALTER, LOCK TABLES, COMMIT and others do): what came before it may be committed",
    { fix: "run such a statement by itself: execute(…)" },
  );
}

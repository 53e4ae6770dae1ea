import { Deferred, NotAppended } from "@lockstep/core";
import type { Client, Connection, Submittable } from "pg";
import { serialize } from "pg-protocol";

export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

export interface RunOptions {
  readonly beforeCommit?: (() => Promise<void> | void) | undefined;
  readonly appended?: Promise<void> | undefined;
}

/** Prepared statements of one session, by their text. More than this many are forgotten: tables come and go. */
const MAX_PREPARED = 1_000;

/**
 * Runs statements as one pipelined batch: Parse, Bind, Execute for each and one Sync at the end. The server
 * makes that one implicit transaction, which commits at the Sync, in one round trip (PostgreSQL manual,
 * "Extended Query", "Pipelining").
 */
export class BatchRunner {
  readonly #client: Client;
  #prepared = new Map<string, string>();
  #nextName = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Resolves when committed. With `beforeCommit` the commit is a second round trip: the statements have run when it
   * is called, and a rejection of it leaves the transaction open, so close the connection then. With `appended` it
   * waits for that, while the statements run; when that rejects, so does this, and nothing of it stays.
   */
  async run(statements: readonly Statement[], { beforeCommit, appended }: RunOptions = {}): Promise<void> {
    if (this.#prepared.size > MAX_PREPARED) await this.#forget();
    const fresh: string[] = [];
    const batch = new Batch(
      statements.map(({ text, values }) => {
        let name = this.#prepared.get(text);
        const isNew = name === undefined;
        if (name === undefined) {
          name = `lockstep_${this.#nextName++}`;
          this.#prepared.set(text, name);
          fresh.push(text);
        }
        return { name, text, values, isNew };
      }),
      beforeCommit,
      appended,
    );
    this.#client.query(batch);
    try {
      await batch.done;
    } catch (error) {
      const isPrepared = error instanceof NotAppended;
      if (!isPrepared) for (const text of fresh) this.#prepared.delete(text); // Names are never used twice.
      throw error;
    }
  }

  /** Makes the next use of each statement be planned anew. */
  async #forget(): Promise<void> {
    this.#prepared = new Map();
    await this.#client.query("deallocate all");
  }
}

interface NamedStatement extends Statement {
  readonly name: string;
  readonly isNew: boolean;
}

/** What `pg` calls while the batch is the client's active query; see its `Query`. */
class Batch implements Submittable {
  readonly done: Promise<void>;
  readonly #statements: readonly NamedStatement[];
  readonly #beforeCommit: (() => Promise<void> | void) | undefined;
  readonly #appended: Promise<void> | undefined;
  readonly #settled = new Deferred<void>();
  #completed = 0;
  #isSynced = false;
  /** Why nothing of it stays. */
  #undone: unknown = null;

  constructor(
    statements: readonly NamedStatement[],
    beforeCommit: (() => Promise<void> | void) | undefined,
    appended: Promise<void> | undefined,
  ) {
    this.#statements = statements;
    this.#beforeCommit = beforeCommit;
    this.#appended = appended;
    this.done = this.#settled.promise;
  }

  /** All of it in one write: many small ones cost more than what they carry. */
  submit(connection: Connection): void {
    const messages: Buffer[] = [];
    for (const { name, text, values, isNew } of this.#statements) {
      if (isNew) messages.push(serialize.parse({ name, text, types: [] }));
      messages.push(serialize.bind({ statement: name, values: [...values] }), serialize.execute());
    }
    if (this.#beforeCommit !== undefined) messages.push(serialize.flush());
    else if (this.#appended !== undefined) this.#endOnceAppended(this.#appended, connection);
    else {
      this.#isSynced = true;
      messages.push(serialize.sync());
    }
    connection.stream.write(Buffer.concat(messages));
  }

  handleError(error: unknown, connection: Connection): void {
    this.#settled.reject(error);
    if (this.#completed < this.#statements.length) this.#sync(connection);
  }

  handleReadyForQuery(): void {
    if (this.#undone === null) this.#settled.resolve();
    else this.#settled.reject(this.#undone);
  }

  handleCommandComplete(_message: unknown, connection: Connection): void {
    this.#completed += 1;
    if (this.#beforeCommit === undefined || this.#completed !== this.#statements.length) return;
    Promise.resolve(this.#beforeCommit()).then(
      () => this.#endOnceAppended(this.#appended ?? Promise.resolve(), connection),
      (error: unknown) => this.#settled.reject(error),
    );
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}

  /** Without its Sync nothing is committed, and a connection that is lost takes it along. */
  #endOnceAppended(appended: Promise<void>, connection: Connection): void {
    appended.then(
      () => this.#sync(connection),
      (error: unknown) => {
        this.#undone = error;
        if (this.#isSynced || !connection.stream.writable) return;
        this.#isSynced = true;
        connection.stream.write(
          Buffer.concat([
            serialize.parse({ text: "rollback" }),
            serialize.bind(),
            serialize.execute(),
            serialize.sync(),
          ]),
        );
      },
    );
  }

  #sync(connection: Connection): void {
    if (this.#isSynced || !connection.stream.writable) return;
    this.#isSynced = true;
    connection.sync();
  }
}

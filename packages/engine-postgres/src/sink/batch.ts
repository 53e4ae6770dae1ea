import type { Client, Connection, Submittable } from "pg";

export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
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
   * Resolves when committed. With `beforeCommit` the commit is a second round trip: the statements have run
   * when it is called, and a rejection of it leaves the transaction open, so close the connection then.
   */
  async run(statements: readonly Statement[], beforeCommit?: () => Promise<void> | void): Promise<void> {
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
    );
    this.#client.query(batch);
    try {
      await batch.done;
    } catch (error) {
      for (const text of fresh) this.#prepared.delete(text); // Names are never used twice.
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
  #completed = 0;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(statements: readonly NamedStatement[], beforeCommit: (() => Promise<void> | void) | undefined) {
    this.#statements = statements;
    this.#beforeCommit = beforeCommit;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    connection.stream.cork();
    for (const { name, text, values, isNew } of this.#statements) {
      if (isNew) connection.parse({ name, text, types: [] }, true);
      connection.bind({ portal: "", statement: name, binary: "", values: [...values] }, true);
      connection.execute({ portal: "", rows: "" }, true);
    }
    if (this.#beforeCommit === undefined) connection.sync();
    else connection.flush();
    process.nextTick(() => connection.stream.uncork());
  }

  handleError(error: unknown, connection: Connection): void {
    if (this.#beforeCommit !== undefined && this.#completed < this.#statements.length) connection.sync();
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }

  handleCommandComplete(_message: unknown, connection: Connection): void {
    this.#completed += 1;
    if (this.#beforeCommit === undefined || this.#completed < this.#statements.length) return;
    Promise.resolve(this.#beforeCommit()).then(
      () => connection.sync(),
      (error: unknown) => this.#reject(error),
    );
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
}

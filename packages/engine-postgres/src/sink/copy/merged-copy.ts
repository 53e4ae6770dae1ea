import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ReplicationError, tableLabel, type CopyMark, type TableCopy } from "@lockstep/core";
import type { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { quoteIdentifier, type Connected } from "../../connection.ts";
import { copyRefused } from "./copy-refused.ts";
import {
  addKeys,
  copyFromStatement,
  formatOf,
  proveAttempt,
  quotedTarget,
  storeMark,
  type TableAttempt,
} from "./table-attempt.ts";

const STAGE = "pg_temp.lockstep_stage";

/**
 * Rows into a table whose own rows stay: by way of a temporary table, and in one transaction with the mark, since
 * what a torn attempt had left could never be told from them.
 */
export class MergedCopy implements TableCopy {
  readonly format: string;
  readonly #attempt: TableAttempt;
  #session: Promise<Connected> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(attempt: TableAttempt) {
    this.#attempt = attempt;
    this.format = formatOf(attempt.snapshot);
  }

  async write(rows: Readable, signal: AbortSignal): Promise<number> {
    return await this.#inTurn(async (client) => {
      const into = client.query(copyFrom(copyFromStatement(this.#attempt, STAGE)));
      await pipeline(rows, into, { signal });
      return into.rowCount;
    });
  }

  async finish(mark: CopyMark): Promise<void> {
    await this.#inTurn(async (client) => {
      await addKeys(client, this.#attempt);
      await client.query(this.#merge());
      await storeMark(client, this.#attempt, mark);
      await client.query("commit");
    });
    const connected = await this.#session;
    if (connected !== null) this.#attempt.sessions.giveBack(connected);
    this.#attempt.failpoints?.hit("table-copied");
  }

  /** One statement after the other: they share a transaction. */
  async #inTurn<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const { sessions, replica, snapshot } = this.#attempt;
    this.#session ??= this.#open();
    const turn = this.#last.then(async () => await work((await this.#opened()).client));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } catch (error) {
      const connected = await this.#session.catch(() => null);
      if (connected !== null) await sessions.discard(connected);
      throw copyRefused(error, replica, snapshot.table);
    }
  }

  async #opened(): Promise<Connected> {
    if (this.#session === null) throw new TypeError("the session is not open");
    return await this.#session;
  }

  async #open(): Promise<Connected> {
    const connected = await this.#attempt.sessions.take();
    const { client } = connected;
    try {
      await client.query("begin");
      await proveAttempt(client, this.#attempt);
      const names = this.#names().join(", ");
      await client.query(
        `create temporary table lockstep_stage on commit drop as
         select ${names} from ${quotedTarget(this.#attempt)} with no data`,
      );
      return connected;
    } catch (error) {
      await this.#attempt.sessions.discard(connected);
      throw error;
    }
  }

  #names(): string[] {
    return this.#attempt.snapshot.table.columns.map(({ name }) => quoteIdentifier(name));
  }

  #merge(): string {
    const { table } = this.#attempt.snapshot;
    const keys = table.columns.filter(({ isKey }) => isKey).map(({ name }) => quoteIdentifier(name));
    if (keys.length === 0) throw noKey(this.#attempt.replica, tableLabel(table));
    const others = table.columns.filter(({ isKey }) => !isKey).map(({ name }) => quoteIdentifier(name));
    const set = others.map((name) => `${name} = excluded.${name}`).join(", ");
    const names = this.#names().join(", ");
    return (
      `insert into ${quotedTarget(this.#attempt)} (${names}) overriding system value select ${names} from ${STAGE}` +
      ` on conflict (${keys.join(", ")}) do ${set === "" ? "nothing" : `update set ${set}`}`
    );
  }
}

function noKey(replica: string, table: string): ReplicationError {
  return new ReplicationError(
    "table-not-empty",
    `table ${table} on replica ${replica} has rows, and no key by which to tell them from the primary's`,
    { fix: "empty it, or give it a primary key, or set snapshot.existing to truncate" },
  );
}

import { ReplicationError, tableLabel, type CopyMark, type TableCopy } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, type Connected } from "../../connection.ts";
import type { TablePlan } from "../table-plan.ts";
import { copyIn } from "./copy-in.ts";
import { copyRefused } from "./copy-refused.ts";
import {
  addKeys,
  copyFromStatement,
  formatOf,
  proveAttempt,
  quotedTarget,
  rowsFor,
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

  async write(open: () => AsyncIterable<Uint8Array>): Promise<number> {
    return await this.#inTurn(async (client) => {
      const statement = copyFromStatement(this.#attempt, STAGE);
      const undo = async (): Promise<void> => void (await client.query("rollback to savepoint range"));
      await client.query("savepoint range");
      const rows = await rowsFor(client, this.#attempt, open);
      return await copyIn(client, { statement, open: rows, undo });
    });
  }

  async finish(mark: CopyMark): Promise<void> {
    await this.#inTurn(async (client) => {
      const plan = await addKeys(client, this.#attempt);
      for (const text of this.#merge(plan)) await client.query(text);
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

  /** What the replica has of the primary's rows is overwritten; of a column that no UPDATE can set, by an INSERT. */
  #merge({ columns, keyColumns, ownColumns, target, quoted }: TablePlan): string[] {
    if (keyColumns.length === 0) throw noKey(this.#attempt.replica, tableLabel(this.#attempt.snapshot.table));
    const names = columns.map((column) => column.quoted);
    const keys = keyColumns.map((index) => names[index] ?? "");
    const set = columns.flatMap(({ isKey, quoted: name }) => (isKey ? [] : [`${name} = excluded.${name}`]));
    const into = (more: readonly string[] = []): string =>
      `insert into ${quoted} (${[...names, ...more].join(", ")}) overriding system value`;
    const insert = `${into()} select ${names.join(", ")} from ${STAGE} on conflict (${keys.join(", ")}) do`;
    if (columns.every(({ isKey, isAlwaysIdentity }) => isKey || !isAlwaysIdentity))
      return [`${insert} ${set.length === 0 ? "nothing" : `update set ${set.join(", ")}`}`];
    const given = [...names.map((name) => `s.${name}`), ...ownColumns.map((name) => `gone.${name}`)].join(
      ", ",
    );
    return [
      `with gone as (delete from ${target} as t using ${STAGE} s
                      where ${keys.map((key) => `t.${key} = s.${key}`).join(" and ")} returning t.*)
       ${into(ownColumns)} select ${given} from gone join ${STAGE} s using (${keys.join(", ")})`,
      `${insert} nothing`,
    ];
  }
}

function noKey(replica: string, table: string): ReplicationError {
  return new ReplicationError(
    "table-not-empty",
    `table ${table} on replica ${replica} has rows, and no key by which to tell them from the primary's`,
    { fix: "empty it, or give it a primary key, or set snapshot.existing to truncate" },
  );
}

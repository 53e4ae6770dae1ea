import type { CopyMark, TableCopy } from "@lockstep/core";
import type { Client } from "pg";
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

/** Rows into an empty table: each range is a transaction, so that several can be written at a time. */
export class PlainCopy implements TableCopy {
  readonly format: string;
  readonly #attempt: TableAttempt;

  constructor(attempt: TableAttempt) {
    this.#attempt = attempt;
    this.format = formatOf(attempt.snapshot);
  }

  async write(open: () => AsyncIterable<Uint8Array>): Promise<number> {
    const { sessions, failpoints } = this.#attempt;
    const count = await this.#refusing(async () => {
      return await sessions.use(async (client) => {
        await this.#begin(client);
        const rows = await rowsFor(client, this.#attempt, open);
        const undo = async (): Promise<void> => {
          await client.query("rollback");
          await this.#begin(client);
        };
        const statement = copyFromStatement(this.#attempt, quotedTarget(this.#attempt));
        const count = await copyIn(client, { statement, open: rows, undo });
        await client.query("commit");
        return count;
      });
    });
    failpoints?.hit("range-copied");
    return count;
  }

  async finish(mark: CopyMark): Promise<void> {
    const { sessions, failpoints } = this.#attempt;
    await this.#refusing(async () => {
      await sessions.use(async (client) => {
        await addKeys(client, this.#attempt);
        await storeMark(client, this.#attempt, mark);
      });
    });
    failpoints?.hit("table-copied");
  }

  async #begin(client: Client): Promise<void> {
    await client.query("begin");
    await proveAttempt(client, this.#attempt);
  }

  async #refusing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw copyRefused(error, this.#attempt.replica, this.#attempt.snapshot.table);
    }
  }
}

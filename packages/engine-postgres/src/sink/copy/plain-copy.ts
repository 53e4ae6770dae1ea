import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { CopyMark, TableCopy } from "@lockstep/core";
import { from as copyFrom } from "pg-copy-streams";
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

/** Rows into an empty table: each range is a transaction, so that several can be written at a time. */
export class PlainCopy implements TableCopy {
  readonly format: string;
  readonly #attempt: TableAttempt;

  constructor(attempt: TableAttempt) {
    this.#attempt = attempt;
    this.format = formatOf(attempt.snapshot);
  }

  async write(rows: Readable, signal: AbortSignal): Promise<number> {
    const { sessions, failpoints } = this.#attempt;
    const count = await this.#refusing(async () => {
      return await sessions.use(async (client) => {
        await client.query("begin");
        await proveAttempt(client, this.#attempt);
        const into = client.query(copyFrom(copyFromStatement(this.#attempt, quotedTarget(this.#attempt))));
        await pipeline(rows, into, { signal });
        await client.query("commit");
        return into.rowCount;
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

  async #refusing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw copyRefused(error, this.#attempt.replica, this.#attempt.snapshot.table);
    }
  }
}

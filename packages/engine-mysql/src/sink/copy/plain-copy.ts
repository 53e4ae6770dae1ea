import { hasCode, type CopyMark, type TableCopy } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { copyRefused } from "./copy-refused.ts";
import { RowStatements, writtenColumns } from "./row-statements.ts";
import { arriving, beginProved, formatOf, storeMark, type TableAttempt } from "./table-attempt.ts";

/** About how much of a table with a key is one transaction. */
const TRANSACTION_CHARS = 8 * 1024 * 1024;

/**
 * Rows into an empty table, several ranges at a time. Of a table with a key, parts of a range are committed, since they
 * can be written again; a range of a table without one is a transaction.
 */
export class PlainCopy implements TableCopy {
  readonly format: string;
  readonly #attempt: TableAttempt;

  constructor(attempt: TableAttempt) {
    this.#attempt = attempt;
    this.format = formatOf(attempt.snapshot);
  }

  async write(open: () => AsyncIterable<Uint8Array>): Promise<number> {
    const { sessions, failpoints } = this.#attempt;
    const count = await this.#refusing(
      async () => await sessions.use(async (connected) => await this.#untilWritten(connected, open)),
    );
    failpoints?.hit("range-copied");
    return count;
  }

  async finish(mark: CopyMark): Promise<void> {
    const { sessions, failpoints } = this.#attempt;
    await this.#refusing(
      async () => await sessions.use(async ({ session }) => await storeMark(session, this.#attempt, mark)),
    );
    failpoints?.hit("table-copied");
  }

  /** Rows that stalled are asked for again; what was committed of them is overwritten. */
  async #untilWritten(connected: Connected, open: () => AsyncIterable<Uint8Array>): Promise<number> {
    const hasKey = this.#attempt.plan.keyColumns.length > 0;
    for (let isAgain = false; ; isAgain = true) {
      try {
        return await this.#writeOnce(connected, open, { hasKey, overwrites: isAgain && hasKey });
      } catch (error) {
        if (!hasCode(error, "copy-stalled")) throw error;
        await connected.session.run("rollback");
      }
    }
  }

  async #writeOnce(
    connected: Connected,
    open: () => AsyncIterable<Uint8Array>,
    { hasKey, overwrites }: { readonly hasKey: boolean; readonly overwrites: boolean },
  ): Promise<number> {
    const { session, server } = connected;
    const { plan } = this.#attempt;
    const statements = new RowStatements({
      session,
      maxPacketBytes: server.maxPacketBytes,
      plan,
      into: plan.quoted,
      columns: writtenColumns(plan),
      overwrites,
    });
    await beginProved(session, this.#attempt);
    let [count, chars] = [0, 0];
    for await (const rows of arriving(connected, this.#attempt, open)) {
      for (const row of rows) chars += await statements.add(row);
      count += rows.length;
      if (!hasKey || chars < TRANSACTION_CHARS) continue;
      await session.run("commit");
      await beginProved(session, this.#attempt);
      chars = 0;
    }
    await statements.flush();
    await session.run("commit");
    return count;
  }

  async #refusing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw copyRefused(error, this.#attempt.replica, this.#attempt.snapshot.table);
    }
  }
}

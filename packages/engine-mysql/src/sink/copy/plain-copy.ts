import type { CopyMark, TableCopy } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { copyRefused } from "./copy-refused.ts";
import { writtenColumns } from "../table-plan.ts";
import { untilWritten, type Writing } from "./row-writer.ts";
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
      async () =>
        await sessions.use(
          async (connected) =>
            await untilWritten(connected, async (writing) => await this.#writeOnce(connected, open, writing)),
        ),
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

  /** What was committed of rows that are asked for again is overwritten. */
  async #writeOnce(
    { session, lost }: Pick<Connected, "session" | "lost">,
    open: () => AsyncIterable<Uint8Array>,
    { isAgain, newWriter }: Writing,
  ): Promise<number> {
    const { plan } = this.#attempt;
    const hasKey = plan.keyColumns.length > 0;
    const writer = newWriter({
      plan,
      into: plan.quoted,
      columns: writtenColumns(plan),
      overwrites: isAgain && hasKey,
    });
    await beginProved(session, this.#attempt);
    let [count, chars] = [0, 0];
    for await (const rows of arriving(lost, this.#attempt, open)) {
      for (const row of rows) chars += await writer.add(row);
      count += rows.length;
      if (!hasKey || chars < TRANSACTION_CHARS) continue;
      await session.run("commit");
      await beginProved(session, this.#attempt);
      chars = 0;
    }
    await writer.flush();
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

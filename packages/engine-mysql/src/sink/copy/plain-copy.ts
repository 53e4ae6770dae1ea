import type { CopyMark, TableCopy } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { copyRefused } from "./copy-refused.ts";
import { writtenColumns } from "../table-plan.ts";
import { CommittedRows } from "./committed-rows.ts";
import { untilWritten, type Writing } from "./row-writer.ts";
import { arriving, beginProved, formatOf, storeMark, type TableAttempt } from "./table-attempt.ts";

/** About how much is one transaction. */
const TRANSACTION_CHARS = 8 * 1024 * 1024;

/**
 * Rows into an empty table, several ranges at a time, in transactions of bounded size. When a range is read again, what
 * is committed of it is overwritten, or, of a table without a key, left out. An attempt that is torn leaves its rows to
 * the next one, which deletes them before it begins.
 */
export class PlainCopy implements TableCopy {
  readonly format: string;
  readonly #attempt: TableAttempt;

  constructor(attempt: TableAttempt) {
    this.#attempt = attempt;
    this.format = formatOf(attempt.snapshot);
  }

  async write(open: () => AsyncIterable<Uint8Array>): Promise<number> {
    const { sessions, failpoints, plan } = this.#attempt;
    const committed = plan.keyColumns.length > 0 ? null : new CommittedRows(plan.table);
    const count = await this.#refusing(
      async () =>
        await sessions.use(async (connected) => {
          const once = async (writing: Writing): Promise<number> =>
            await this.#writeOnce(connected, open, { ...writing, committed });
          return await untilWritten(connected, once);
        }),
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

  /** `committed`: of a table without a key. */
  async #writeOnce(
    { session, lost }: Pick<Connected, "session" | "lost">,
    open: () => AsyncIterable<Uint8Array>,
    { isAgain, newWriter, committed }: Writing & { readonly committed: CommittedRows | null },
  ): Promise<number> {
    const { plan } = this.#attempt;
    const writer = newWriter({
      plan,
      into: plan.quoted,
      columns: writtenColumns(plan),
      overwrites: isAgain && committed === null,
    });
    await beginProved(session, this.#attempt);
    committed?.restart();
    let [count, chars] = [0, 0];
    for await (const rows of arriving(lost, this.#attempt, open)) {
      for (const row of committed?.left(rows) ?? rows) chars += await writer.add(row);
      count += rows.length;
      if (chars < TRANSACTION_CHARS) continue;
      await writer.flush(); // What is counted as committed must have been sent.
      await session.run("commit");
      committed?.commit();
      await beginProved(session, this.#attempt);
      chars = 0;
    }
    committed?.end();
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

import type { CopyMark, TableCopy } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { copyRefused } from "./copy-refused.ts";
import { mergeStatements, readMergedInto } from "./merge-statements.ts";
import { untilWritten, type Writing } from "./row-writer.ts";
import { arriving, beginProved, formatOf, storeMark, type TableAttempt } from "./table-attempt.ts";

/** Of the session's own. */
const STAGE = "lockstep.stage";

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
    return await this.#inTurn(
      async (connected) =>
        await untilWritten(connected, async (writing) => await this.#stage(connected, open, writing)),
    );
  }

  async finish(mark: CopyMark): Promise<void> {
    const { plan, sessions, failpoints } = this.#attempt;
    await this.#inTurn(async (connected) => {
      const { session } = connected;
      const into = await readMergedInto(session, plan);
      await beginProved(session, this.#attempt);
      for (const sql of mergeStatements(plan, STAGE, into)) await session.run(sql);
      await storeMark(session, this.#attempt, mark);
      await session.run("commit");
      await session.run(`drop temporary table ${STAGE}`);
      sessions.giveBack(connected);
    });
    failpoints?.hit("table-copied");
  }

  async #stage(
    { session, lost }: Pick<Connected, "session" | "lost">,
    open: () => AsyncIterable<Uint8Array>,
    { newWriter }: Writing,
  ): Promise<number> {
    const { plan } = this.#attempt;
    const columns = [...plan.columns.keys()];
    const writer = newWriter({ plan, into: STAGE, columns, overwrites: false });
    await beginProved(session, this.#attempt);
    let count = 0;
    for await (const rows of arriving(lost, this.#attempt, open)) {
      for (const row of rows) await writer.add(row);
      count += rows.length;
    }
    await writer.flush();
    await session.run("commit");
    return count;
  }

  /** One after the other: they share a session. */
  async #inTurn<T>(work: (connected: Connected) => Promise<T>): Promise<T> {
    const { sessions, replica, snapshot } = this.#attempt;
    const opened = (this.#session ??= this.#open());
    const turn = this.#last.then(async () => await work(await opened));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } catch (error) {
      const connected = await opened.catch(() => null);
      if (connected !== null) await sessions.discard(connected);
      throw copyRefused(error, replica, snapshot.table);
    }
  }

  async #open(): Promise<Connected> {
    const { sessions, plan } = this.#attempt;
    const connected = await sessions.take();
    try {
      const names = plan.columns.map(({ quoted }) => quoted).join(", ");
      await connected.session.run(
        `drop temporary table if exists ${STAGE};
         create temporary table ${STAGE} (lockstep_row bigint unsigned not null auto_increment primary key)
         engine = InnoDB as select ${names} from ${plan.quoted} where false`,
      );
      return connected;
    } catch (error) {
      await sessions.discard(connected);
      throw error;
    }
  }
}

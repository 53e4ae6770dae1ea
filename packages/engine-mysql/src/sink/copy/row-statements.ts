import type { Row } from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { requireRoom, UnexpectedOutcome } from "../packets.ts";
import { cellSql, columnOf, comparedSql } from "../table-plan.ts";
import type { RowWriter, RowWriterOptions } from "./row-writer.ts";

/** Longer statements gain nothing. */
const MAX_STATEMENT_CHARS = 1024 * 1024;
/** UTF-8 has at most so many bytes for a unit of JavaScript's. */
const MAX_BYTES_A_CHAR = 3;
/** More keys in one list are not looked up one by one any more. */
const MAX_KEYS = 500;

/** Gathers rows, and writes many with one statement. */
export class RowStatements implements RowWriter {
  readonly #connected: Connected;
  readonly #options: RowWriterOptions;
  readonly #insert: string;
  readonly #maxChars: number;
  #rows: string[] = [];
  #keys: string[] = [];
  #chars = 0;

  constructor(connected: Connected, options: RowWriterOptions) {
    this.#connected = connected;
    this.#options = options;
    const { plan, into, columns } = options;
    const names = columns.map((index) => columnOf(plan, index).quoted).join(", ");
    this.#insert = `insert into ${into} (${names}) values `;
    this.#maxChars = Math.min(MAX_STATEMENT_CHARS, connected.server.maxPacketBytes / MAX_BYTES_A_CHAR);
  }

  async add(row: Row): Promise<number> {
    const { plan, columns, overwrites } = this.#options;
    let text = "";
    for (const index of columns)
      text += (text === "" ? "(" : ",") + cellSql(columnOf(plan, index), row[index]);
    text = text === "" ? "()" : `${text})`;
    const isFull = overwrites && this.#rows.length >= MAX_KEYS;
    const sent =
      this.#rows.length > 0 && (isFull || this.#chars + text.length > this.#maxChars)
        ? await this.flush()
        : 0;
    this.#rows.push(text);
    if (overwrites) this.#keys.push(this.#keyOf(row));
    this.#chars += text.length + 1;
    return sent;
  }

  async flush(): Promise<number> {
    const { session, server } = this.#connected;
    const { plan, overwrites } = this.#options;
    const [rows, keys, chars] = [this.#rows, this.#keys, this.#chars];
    [this.#rows, this.#keys, this.#chars] = [[], [], 0];
    if (rows.length === 0) return 0;
    if (overwrites) {
      const names = plan.keyColumns.map((index) => columnOf(plan, index).quoted).join(", ");
      await session.run(`delete from ${plan.quoted} where (${names}) in (${keys.join(",")})`);
    }
    const sql = this.#insert + rows.join(",");
    requireRoom(sql, server.maxPacketBytes);
    const [done] = await session.run(sql);
    if (done?.rows !== rows.length)
      throw new UnexpectedOutcome(`${done?.rows} rows instead of ${rows.length}`);
    if (done.warnings > 0) throw new UnexpectedOutcome(await this.#noted());
    return chars;
  }

  #keyOf(row: Row): string {
    const { plan } = this.#options;
    const values = plan.keyColumns.map((index) => comparedSql(columnOf(plan, index), row[index]));
    return `(${values.join(",")})`;
  }

  /** By number: the note's text may hold the value (S1). */
  async #noted(): Promise<string> {
    const [note] = await this.#connected.session.query("show warnings limit 1");
    return `the server would change a value to make it fit (note ${note?.["Code"] ?? "unknown"})`;
  }
}

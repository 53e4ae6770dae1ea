import { keyText, ReplicationError, tableLabel, type Row } from "@lockstep/core";
import { UnfitValue } from "../../schema/exact-values.ts";
import { TAKE_IT } from "../refusal.ts";
import { sentText, type TablePlan } from "../table-plan.ts";

/*
 * Lines of JSON, each an array of cells, as COPY's text format (PostgreSQL manual, "COPY", "Text Format"):
 *
 *     cell TAB cell … NEWLINE     NULL is \N     \b \f \n \r \t \v and \\ stand for that character
 */

const NEWLINE = 0x0a;
const ESCAPED = /[\b\f\n\r\t\v\\]/;
const ALL_ESCAPED = /[\b\f\n\r\t\v\\]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** Rows cut anywhere, in whole lines; rejects with `copy-refused` for a value that its column would not keep. */
export async function* copiedRows(
  rows: AsyncIterable<Uint8Array>,
  plan: TablePlan,
  replica: string,
): AsyncGenerator<Buffer, void, undefined> {
  const pending: Uint8Array[] = []; // A row may be as long as many chunks.
  for await (const chunk of rows) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      const whole = Buffer.concat([...pending.splice(0), chunk.subarray(0, end)]);
      yield Buffer.from(linesOf(whole.toString("utf8", 0, whole.length - 1), plan, replica));
    }
    if (end < chunk.length) pending.push(chunk.subarray(end));
  }
  if (pending.length > 0) throw malformed("ends within a row");
}

function linesOf(text: string, plan: TablePlan, replica: string): string {
  let lines = "";
  for (const line of text.split("\n")) lines += lineOf(rowOf(line, plan), plan, replica);
  return lines;
}

function lineOf(row: readonly (string | null)[], plan: TablePlan, replica: string): string {
  try {
    return `${plan.columns.map((column, index) => cellOf(sentText(column, row[index]))).join("\t")}\n`;
  } catch (error) {
    if (!(error instanceof UnfitValue)) throw error;
    throw unfit(error, plan, row, replica);
  }
}

function cellOf(text: string | null): string {
  if (text === null) return "\\N";
  return ESCAPED.test(text) ? text.replace(ALL_ESCAPED, (of) => ESCAPES[of] ?? of) : text;
}

function rowOf(line: string, { columns }: TablePlan): (string | null)[] {
  const row: unknown = JSON.parse(line);
  if (!Array.isArray(row) || row.length !== columns.length || !row.every(isCell))
    throw malformed("holds a row of another form");
  return row;
}

function isCell(cell: unknown): cell is string | null {
  return cell === null || typeof cell === "string";
}

function malformed(what: string): ReplicationError {
  return new ReplicationError("protocol-violation", `a copy of a table ${what}`);
}

function unfit(error: UnfitValue, plan: TablePlan, row: Row, replica: string): ReplicationError {
  const [table, key] = [tableLabel(plan.table), keyText(plan, row)];
  return new ReplicationError(
    "copy-refused",
    `replica ${replica} refuses a row of ${table}, key ${key}: ${error.message}`,
    { fix: `${TAKE_IT}; its copy is tried again by itself`, fields: { replica, table, key } },
  );
}

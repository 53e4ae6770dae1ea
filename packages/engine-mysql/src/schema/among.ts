import type { TableName } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { TextRow } from "../session.ts";

/** No name here has them, and the catalog refuses to be asked for one. */
const UNKNOWN = /[\u{10000}-\u{10ffff}]/u;

/** A condition on rows of the catalog: they are of these tables. */
export function among(
  tables: readonly TableName[],
  [schema, name]: readonly [schema: string, name: string] = ["table_schema", "table_name"],
): string {
  const names = tables
    .filter((table) => !UNKNOWN.test(table.schema + table.name))
    .map((table) => `(${quoteText(table.schema)}, ${quoteText(table.name)})`);
  if (names.length === 0) return "false";
  return `(${schema}, ${name}) in (${names.join(", ")})`;
}

/** Of a row with columns `schema` and `name`. */
export function nameOf(row: TextRow): TableName {
  return { schema: row["schema"] ?? "", name: row["name"] ?? "" };
}

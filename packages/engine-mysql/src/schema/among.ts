import type { TableName } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { TextRow } from "../session.ts";

/** A condition on rows of the catalog: they are of these tables. */
export function among(
  tables: readonly TableName[],
  [schema, name]: readonly [schema: string, name: string] = ["table_schema", "table_name"],
): string {
  if (tables.length === 0) return "false";
  const names = tables.map((table) => `(${quoteText(table.schema)}, ${quoteText(table.name)})`);
  return `(${schema}, ${name}) in (${names.join(", ")})`;
}

/** Of a row with columns `schema` and `name`. */
export function nameOf(row: TextRow): TableName {
  return { schema: row["schema"] ?? "", name: row["name"] ?? "" };
}

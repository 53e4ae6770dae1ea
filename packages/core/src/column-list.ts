import { tableLabel, type TableName } from "./event.ts";
import { nameList } from "./name-list.ts";

/** Some columns of a table. */
export interface ColumnsOf {
  readonly table: TableName;
  readonly columns: readonly string[];
}

/** More are a wall of text. */
const TABLES = 10;

/** `shop.items (name, label), shop.users (email) and 3 more`. */
export function columnList(list: readonly ColumnsOf[]): string {
  return nameList(
    list.map(({ table, columns }) => `${tableLabel(table)} (${nameList(columns)})`),
    TABLES,
  );
}

import { matchesTable, type SourceTable, type TableFilter, type TableName } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";

/** The server's own, and ours. */
const NOT_FOR_USERS = ["mysql", "information_schema", "performance_schema", "sys", "lockstep"];

/** Tables of users that the filter asks for, by name. */
export async function listTables(session: Session, filter: TableFilter): Promise<SourceTable[]> {
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in (${NOT_FOR_USERS.map(quoteText).join(", ")})
      order by 1, 2`,
  );
  return rows
    .map((row) => ({ schema: row["schema"] ?? "", name: row["name"] ?? "" }))
    .filter((table) => matchesTable(filter, table));
}

export function isForUsers({ schema }: TableName): boolean {
  return !NOT_FOR_USERS.includes(schema.toLowerCase());
}

/** Types that MariaDB's log shows as bytes, by table and column. */
export async function readHiddenTypes(session: Session): Promise<ReadonlyMap<string, string>> {
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name, column_name as col, column_type as type
       from information_schema.columns where data_type in ('uuid', 'inet4', 'inet6', 'vector')`,
  );
  return new Map(
    rows.map((row) => [
      hiddenTypeKey({ schema: row["schema"] ?? "", name: row["name"] ?? "" }, row["col"] ?? ""),
      row["type"] ?? "",
    ]),
  );
}

export function hiddenTypeKey({ schema, name }: TableName, column: string): string {
  return JSON.stringify([schema, name, column]);
}

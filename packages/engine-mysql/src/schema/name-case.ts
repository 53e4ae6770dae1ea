import { tableKey, type TableName } from "@lockstep/core";
import type { Session } from "../session.ts";

/** The text by which a server tells the names of databases and tables apart. */
export type NameCase = (name: string) => string;

/** It may ignore their case (`lower_case_table_names`), and then has other names than it is asked for. */
export async function readNameCase(session: Session): Promise<NameCase> {
  const [row] = await session.query("select @@lower_case_table_names as mode");
  return row?.["mode"] === "0" ? (name) => name : (name) => name.toLowerCase();
}

/** The same for each name of one table. */
export function caseKey({ schema, name }: TableName, told: NameCase): string {
  return tableKey({ schema: told(schema), name: told(name) });
}

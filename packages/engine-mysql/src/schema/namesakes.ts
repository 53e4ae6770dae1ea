import { errorFinding, tableKey, tableList, type ErrorFinding, type TableName } from "@lockstep/core";
import type { Session } from "../session.ts";
import { caseKey, readNameCase } from "./name-case.ts";

/**
 * Tables that are one table on a server that ignores the case of names (`lower_case_table_names`): the rows of both
 * would come into one (V1).
 */
export async function readNamesakes(
  session: Session,
  tables: readonly TableName[],
  replica: string,
): Promise<ErrorFinding[]> {
  const told = await readNameCase(session);
  const byName = new Map<string, Map<string, TableName>>();
  for (const { schema, name } of tables) {
    const lower = caseKey({ schema, name }, told);
    const same = byName.get(lower) ?? new Map<string, TableName>();
    byName.set(lower, same.set(tableKey({ schema, name }), { schema, name }));
  }
  return [...byName.values()]
    .filter((same) => same.size > 1)
    .map((same) =>
      errorFinding(
        "schema-mismatch",
        `tables ${tableList([...same.values()])} are one on replica ${replica}, which ignores the case of names (lower_case_table_names)`,
        { fix: "name all but one of them in tables.exclude, or take a server that tells their names apart" },
      ),
    );
}

import { tableKey, type CommonTable, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { collationsOf, readCommonColumns } from "./common-columns.ts";
import { readCommonParts } from "./common-parts.ts";

/** How `tables` are defined, in words that every engine has; one that does not exist is left out. Runs no function of a user. */
export async function readCommon(client: Client, tables: readonly TableName[]): Promise<CommonTable[]> {
  const columns = await readCommonColumns(client, tables);
  const parts = await readCommonParts(client, tables);
  return tables.flatMap(({ schema, name }) => {
    const key = tableKey({ schema, name });
    const [own, other] = [columns.get(key), parts.get(key)];
    if (own === undefined || other === undefined || own.columns.length + own.leftOut.length === 0) return [];
    const { columns: carried, leftOut } = own;
    const collations = collationsOf(carried);
    return [
      { schema, name, columns: carried, collations, ...other, leftOut: [...leftOut, ...other.leftOut] },
    ];
  });
}

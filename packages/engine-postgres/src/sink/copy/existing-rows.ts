import type { TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteTable, sqlStateOf } from "../../connection.ts";
import { firstNonEmpty } from "../../schema/tables.ts";

/** Another table refers to it, or it has a partition that cannot be truncated. */
const NOT_SUPPORTED = "0A000";

export async function hasRows(client: Client, table: TableName): Promise<boolean> {
  return (await firstNonEmpty(client, [table])) !== null;
}

/** Empties a table, within a transaction: never another one by CASCADE, so deletes what TRUNCATE refuses. */
export async function deleteRows(client: Client, table: TableName): Promise<void> {
  const { rows } = await client.query<{ isPartitioned: boolean }>(
    `select relkind = 'p' as "isPartitioned" from pg_catalog.pg_class where oid = pg_catalog.to_regclass($1)`,
    [quoteTable(table)],
  );
  const target = `${rows[0]?.isPartitioned === true ? "" : "only "}${quoteTable(table)}`;
  await client.query("savepoint emptying");
  try {
    await client.query(`truncate ${target}`);
  } catch (error) {
    if (sqlStateOf(error) !== NOT_SUPPORTED) throw error;
    await client.query("rollback to savepoint emptying");
    await client.query(`delete from ${target}`);
  }
}

import { ReplicationError, tableLabel, type TableName } from "@lockstep/core";
import { DatabaseError } from "pg";
import { quoteTable, toReplicationError } from "../../connection.ts";
import { PROGRESS_MISMATCH } from "../schema.ts";

/** A column, or the table, is not there, or of another type. */
const TABLE_CHANGED = /^(?:42P01|42703|42804)$/;

/** What a failure of copying into a replica means. Never with what the server says of a row (S1). */
export function copyRefused(error: unknown, replica: string, table: TableName | null): unknown {
  const known = toReplicationError(error, `replica ${replica}`);
  if (!(known instanceof DatabaseError)) return known;
  const { code: sqlState = "unknown", constraint, column } = known;
  if (sqlState === PROGRESS_MISMATCH) {
    return notOurs(replica);
  }
  if (TABLE_CHANGED.test(sqlState) && table !== null) return anotherShape(replica, table);
  const where = table === null ? "tables" : `rows of ${tableLabel(table)}`;
  const about = [constraint, column].filter((name) => name !== undefined).join(", ");
  return new ReplicationError(
    "copy-refused",
    `replica ${replica} refuses ${where}: SQLSTATE ${sqlState}${about === "" ? "" : ` (${about})`}`,
    {
      fix: "make the replica's table take what the primary's holds; its copy is tried again by itself",
      fields: { replica, sqlState, table: table === null ? null : tableLabel(table) },
    },
  );
}

/** Another owner has come, or another attempt: whoever claims the replica again finds out which (A4). */
export function notOurs(replica: string): ReplicationError {
  return new ReplicationError(
    "connection-lost",
    `a copy into replica ${replica} is not this attempt's any more`,
    { fields: { replica } },
  );
}

function anotherShape(replica: string, table: TableName): ReplicationError {
  return new ReplicationError(
    "schema-mismatch",
    `table ${tableLabel(table)} on replica ${replica} has other columns than on the primary`,
    {
      fix: `make it the same there, or drop it: then it is created anew (drop table ${quoteTable(table)})`,
      fields: { replica, table: tableLabel(table) },
    },
  );
}

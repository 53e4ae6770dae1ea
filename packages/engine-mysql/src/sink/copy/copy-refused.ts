import { ReplicationError, tableLabel, type TableName } from "@lockstep/core";
import { quoteTable } from "../../quoting.ts";
import { isTableChanged, ServerError } from "../../server-error.ts";
import { UnfitValue } from "../literal.ts";
import { UnexpectedOutcome } from "../packets.ts";
import { classified, described, fieldsOf } from "../refusal.ts";

/** What a failure of copying into a replica means. Never with what the server says of a row (S1). */
export function copyRefused(error: unknown, replica: string, table: TableName | null): unknown {
  if (error instanceof UnfitValue || error instanceof UnexpectedOutcome)
    return refused(replica, table, error.message, {});
  const known = classified(error, replica);
  if (!(known instanceof ServerError)) return known;
  if (isTableChanged(known) && table !== null) return anotherShape(replica, table);
  return refused(replica, table, described(known), fieldsOf(known));
}

/** Another owner has come, or another attempt: whoever claims the replica again finds out which (A4). */
export function notOurs(replica: string): ReplicationError {
  return new ReplicationError(
    "connection-lost",
    `a copy into replica ${replica} is not this attempt's any more`,
    { fields: { replica } },
  );
}

function refused(
  replica: string,
  table: TableName | null,
  what: string,
  fields: ReturnType<typeof fieldsOf>,
): ReplicationError {
  const where = table === null ? "tables" : `rows of ${tableLabel(table)}`;
  return new ReplicationError("copy-refused", `replica ${replica} refuses ${where}: ${what}`, {
    fix: "make the replica's table take what the primary's holds; its copy is tried again by itself",
    fields: { ...fields, replica, table: table === null ? null : tableLabel(table) },
  });
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

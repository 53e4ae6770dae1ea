import { ReplicationError, tableLabel } from "@lockstep/core";
import type { Carried } from "./carried.ts";
import type { MappedTable, UnsureColumns } from "./table-map.ts";

const FIX =
  "SET GLOBAL binlog_row_image = FULL on the primary, and let no session set its own; what was written before cannot be read: make the pipeline anew, with a snapshot";

/**
 * Of new rows that were inserted, the columns that are not carried and are NULL. A large value that may be NULL is
 * left out where it is (`noblob`); of another column that is left out (`minimal`) the log does not say what its default
 * was: throws `row-incomplete` (V1).
 */
export function columnsLeftNull(mapped: MappedTable, carried: readonly boolean[]): number[] {
  const { table, keeps, mayLack } = mapped;
  const left = table.columns.map((_, at) => keeps?.[at] ?? at).filter((index) => carried[index] !== true);
  const defaulted = left.find((index) => mayLack[index] !== true);
  if (defaulted === undefined) return left;
  const label = tableLabel(table);
  const column = table.columns[keeps?.indexOf(defaulted) ?? defaulted]?.name ?? "";
  throw new ReplicationError(
    "row-incomplete",
    `the primary's log leaves ${label}.${column} out of a new row, which got a default that the log does not tell`,
    { fix: FIX, fields: { table: label, column } },
  );
}

/** Then rows have no bytes, and nobody can say how many there are. */
export function nothingCarried({ table }: MappedTable): ReplicationError {
  const label = tableLabel(table);
  return new ReplicationError("row-incomplete", `the primary's log carries no column of rows of ${label}`, {
    fix: FIX,
    fields: { table: label },
  });
}

/** Whatever such a column was: where its value is there, it is the one that the row had. */
export function expectCarried({ at, failure }: UnsureColumns, before: Carried, after: Carried): void {
  for (const index of at) {
    const isCarried = [before, after].some(({ columns }) => columns === null || columns[index] === true);
    if (!isCarried) throw failure();
  }
}

import { NOT_CARRIED, ReplicationError, tableLabel, type Cell, type Row } from "@lockstep/core";
import type { Cursor } from "./cursor.ts";
import type { MappedTable } from "./table-map.ts";

/*
 * In PARTIAL_UPDATE_ROWS (MySQL, `binlog_row_value_options = PARTIAL_JSON`) a new row begins with
 *
 *     packed options; where bit 0 is set: a bit for each JSON column of the table, lowest first: a list of changes
 *
 * and goes on as in other events. What is a list of changes is made from the old row's document.
 */
const PARTIAL_JSON = 1;

/** Reads a new row's cells. `columns`: which of them are carried; null: all. */
export function readPartialRow(
  cursor: Cursor,
  mapped: MappedTable,
  { count, columns }: { readonly count: number; readonly columns: readonly boolean[] | null },
  before: Row,
): Cell[] {
  const { readers } = mapped;
  const isPartial = readPartialBits(cursor, mapped);
  const nulls = bitsOf(cursor, count);
  let bit = 0;
  return readers.map((reader, index) => {
    if (columns !== null && columns[index] !== true) return NOT_CARRIED;
    if (nulls(bit++)) return null;
    if (!isPartial(index) || reader.patch === undefined) return reader.read(cursor);
    const old = before[index];
    if (typeof old !== "string") throw documentMissing(mapped, index);
    return reader.patch(cursor, old);
  });
}

function readPartialBits(cursor: Cursor, { readers }: MappedTable): (index: number) => boolean {
  if ((cursor.packed() & PARTIAL_JSON) === 0) return () => false;
  const documents = readers.flatMap((reader, index) => (reader.patch === undefined ? [] : [index]));
  const bits = bitsOf(cursor, documents.length);
  const partial = new Set(documents.filter((_, at) => bits(at)));
  return (index) => partial.has(index);
}

function bitsOf(cursor: Cursor, count: number): (bit: number) => boolean {
  const at = cursor.take((count + 7) >> 3);
  const { view } = cursor;
  return (bit) => ((view.getUint8(at + (bit >> 3)) >> (bit & 7)) & 1) !== 0;
}

function documentMissing({ table }: MappedTable, index: number): ReplicationError {
  const label = tableLabel(table);
  const column = table.columns[index]?.name ?? "";
  return new ReplicationError(
    "row-incomplete",
    `the primary's log has only a part of a JSON document (${label}.${column}), and not the one before`,
    {
      fix: "SET GLOBAL binlog_row_image = FULL, or binlog_row_value_options = '' (also in sessions that set their own), then copy the table anew",
      fields: { table: label, column },
    },
  );
}

import { ReplicationError, tableLabel, type Table } from "@lockstep/core";

/* As far as its row goes, a change is: Byte1 kind  Int32 relation  Byte1 which tuple  tuple (see tuple.ts). */
const ROW_CHANGE = /^[IUD]$/;
const RELATION_AT = 1;
const TUPLE_AT = 6;
const FIRST_COLUMN_AT = TUPLE_AT + 2;
const TEXT = 0x74;

/** Names the row whose change begins in `buffer` from `start` to `end` and is too large to be read. */
export function rowTooLarge(
  buffer: Buffer,
  start: number,
  end: number,
  { tables, bytes, maxRowBytes }: Oversized,
): ReplicationError {
  const isRow = end - start > FIRST_COLUMN_AT && ROW_CHANGE.test(String.fromCharCode(buffer[start] ?? 0));
  const table = isRow ? tables.get(buffer.readUInt32BE(start + RELATION_AT)) : undefined;
  const where = table === undefined ? "" : ` of ${tableLabel(table)}, ${keyIn(buffer, start, end, table)}`;
  return new ReplicationError(
    "row-too-large",
    `the primary sends a row${where} in ${bytes} bytes; maxRowBytes is ${maxRowBytes}`,
    {
      fix: `raise maxRowBytes above ${bytes} (memory: up to eight times that); excluding the table helps only with later rows`,
      fields: { table: table === undefined ? null : tableLabel(table), bytes, maxRowBytes },
    },
  );
}

interface Oversized {
  /** By the source's number of the relation. */
  readonly tables: ReadonlyMap<number, Table>;
  readonly bytes: number;
  readonly maxRowBytes: number;
}

/** The key cells that stand before the first value which is not there whole. */
function keyIn(buffer: Buffer, start: number, end: number, { columns }: Table): string {
  const found: string[] = [];
  let at = start + FIRST_COLUMN_AT;
  for (const column of columns) {
    if (buffer[at++] !== TEXT) continue;
    if (at + 4 > end) break;
    const length = buffer.readUInt32BE(at);
    at += 4;
    if (at + length > end) break;
    if (column.isKey) found.push(`${column.name}=${buffer.toString("utf8", at, at + length)}`);
    at += length;
  }
  return `key ${found.length === 0 ? "behind its large value" : found.join(", ")}`;
}

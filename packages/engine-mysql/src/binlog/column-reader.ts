import type { Cursor } from "./cursor.ts";

/** Reads, or steps over, one column's value that is not NULL; made once for a table map. */
export interface ColumnReader {
  /** Canonical text. */
  read(cursor: Cursor): string;
  skip(cursor: Cursor): void;
  /** Of a JSON column: reads a list of changes instead, and applies them to the value before. */
  patch?(cursor: Cursor, before: string): string;
}

/** A reader of values that all take `bytes` bytes. `read` gets where they begin, already bounded. */
export function fixed(bytes: number, read: (cursor: Cursor, at: number) => string): ColumnReader {
  return {
    read: (cursor) => read(cursor, cursor.take(bytes)),
    skip: (cursor) => void cursor.take(bytes),
  };
}

/** A reader of values with a little-endian length of `width` bytes in front. */
export function prefixed(
  width: number,
  read: (bytes: Buffer, start: number, end: number, cursor: Cursor) => string,
): ColumnReader {
  return {
    read: (cursor) => {
      const length = cursor.length(width);
      const start = cursor.take(length);
      return read(cursor.bytes, start, start + length, cursor);
    },
    skip: (cursor) => void cursor.take(cursor.length(width)),
  };
}

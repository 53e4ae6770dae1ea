import type { CommonTable } from "@lockstep/core";
import { BYTES_A_CHARACTER, indexBytesOf, MAX_INDEX_BYTES } from "./created-type.ts";

/** Columns of an index at most. */
export const MAX_INDEX_COLUMNS = 16;

/** Bytes that each column may have so that every key of the table has room, of those that would have more; null: no way. */
export function roomsOf(
  { primaryKey, uniques, foreignKeys }: CommonTable,
  typeOf: (column: string) => string,
): ReadonlyMap<string, number> | null {
  const rooms = new Map<string, number>();
  const keys = [
    primaryKey ?? [],
    ...uniques.map(({ columns }) => columns),
    ...foreignKeys.map(({ columns }) => columns),
  ];
  for (const key of keys) {
    for (const [column, room] of sharesOf(key, typeOf)) {
      if (room < BYTES_A_CHARACTER) return null;
      rooms.set(column, Math.min(rooms.get(column) ?? room, room));
    }
  }
  return rooms;
}

/** Of an index's columns those that have less than they might: the short ones have what they need first. */
export function sharesOf(
  columns: readonly string[],
  typeOf: (column: string) => string,
): Map<string, number> {
  const wanted = columns
    .map((column) => ({ column, bytes: indexBytesOf(typeOf(column)) }))
    .toSorted((left, right) => left.bytes - right.bytes);
  const shares = new Map<string, number>();
  let free = MAX_INDEX_BYTES;
  for (const [index, { column, bytes }] of wanted.entries()) {
    const share = Math.floor(free / (wanted.length - index));
    if (bytes > share) shares.set(column, share);
    free -= Math.min(bytes, share);
  }
  return shares;
}

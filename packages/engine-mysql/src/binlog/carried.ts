import type { Cursor } from "./cursor.ts";

/** Which columns an image carries. */
export interface Carried {
  readonly count: number;
  /** By column; null where all are. */
  readonly columns: readonly boolean[] | null;
}

/** A bit for each of `count` columns, lowest first. */
export function readCarried(cursor: Cursor, count: number): Carried {
  const bytes = (count + 7) >> 3;
  const at = cursor.take(bytes);
  const { view } = cursor;
  if (areAllSet(view, at, count)) return { count, columns: null };
  const columns = Array.from({ length: count }, (_, index) => {
    return ((view.getUint8(at + (index >> 3)) >> (index & 7)) & 1) !== 0;
  });
  return { count: columns.filter(Boolean).length, columns };
}

function areAllSet(view: DataView, at: number, count: number): boolean {
  for (let left = count, byte = at; left > 0; left -= 8, byte++) {
    const wanted = left >= 8 ? 0xff : (1 << left) - 1;
    if ((view.getUint8(byte) & wanted) !== wanted) return false;
  }
  return true;
}

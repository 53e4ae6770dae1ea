import type { Flavour } from "../flavour.ts";

/** Texts are told apart byte by byte, spaces at the end included, as PostgreSQL does. */
export const COLLATIONS: Readonly<Record<Flavour, string>> = {
  mysql: "utf8mb4_0900_bin",
  mariadb: "utf8mb4_nopad_bin",
};

/** Bytes that the columns of one index may have at most (InnoDB's pages of 16 kB). */
export const MAX_INDEX_BYTES = 3072;
/** Bytes of a row without its TEXTs and BLOBs, give or take what the server needs for itself. */
export const MAX_ROW_BYTES = 65_000;
/** UTF-8 in utf8mb4. */
export const BYTES_A_CHARACTER = 4;

const FIXED_BYTES: Readonly<Record<string, number>> = {
  tinyint: 1,
  smallint: 2,
  mediumint: 3,
  int: 4,
  bigint: 8,
  year: 1,
  float: 4,
  double: 8,
  decimal: 33,
  date: 3,
  time: 6,
  datetime: 8,
  timestamp: 7,
  bit: 8,
  enum: 2,
  set: 8,
  uuid: 16,
};

/** `varchar` of `varchar(20)`. */
export function baseOf(type: string): string {
  return /^\w+/.exec(type)?.[0] ?? type;
}

/** Bytes that a value of the type may have in an index; infinite where only its beginning can be there. */
export function indexBytesOf(type: string): number {
  const length = Number(/\((\d+)/.exec(type)?.[1] ?? 0);
  if (/^(?:var)?char/.test(type)) return length * BYTES_A_CHARACTER;
  return /^(?:var)?binary/.test(type) ? length : (FIXED_BYTES[baseOf(type)] ?? Number.POSITIVE_INFINITY);
}

/** Bytes that a value may have within its row; a TEXT or BLOB has a pointer there. */
export function rowBytesOf(type: string): number {
  const bytes = indexBytesOf(type);
  return Number.isFinite(bytes) ? bytes + 2 : 12;
}

export function isText(type: string): boolean {
  return /^(?:(?:var)?char|\w*text|enum|set)\b/.test(type);
}

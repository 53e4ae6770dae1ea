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

/** Bytes of a page (of 16 kB) that a row may take at most. */
export const MAX_PAGE_BYTES = 8_126;

/**
 * Bytes that the column takes of its row's page at least, however long its values are: what is longer lies elsewhere,
 * in MariaDB only where the column may have 256 bytes or more. Measured: a table with more is refused.
 */
export function pageBytesOf(type: string, flavour: Flavour): number {
  const bytes = baseOf(type) === "decimal" ? decimalBytes(type) : indexBytesOf(type);
  const isVariable = /^(?:(?:var)?char|varbinary)/.test(type) || !Number.isFinite(bytes);
  if (!isVariable) return bytes;
  if (flavour === "mysql") return Math.min(bytes, MYSQL_LOCAL_BYTES) + 1;
  return bytes < 256 ? bytes + 1 : MARIADB_POINTER_BYTES + 1;
}

const MYSQL_LOCAL_BYTES = 40;
const MARIADB_POINTER_BYTES = 20;

/** Nine digits have 4 bytes, and those that are left over as many as they need. */
function decimalBytes(type: string): number {
  const [, precision = 0, scale = 0] = (/\((\d+)(?:,(\d+))?\)/.exec(type) ?? []).map(Number);
  const bytesOf = (digits: number): number => Math.floor(digits / 9) * 4 + Math.ceil((digits % 9) / 2);
  return bytesOf(precision - scale) + bytesOf(scale);
}

export function isText(type: string): boolean {
  return /^(?:(?:var)?char|\w*text|enum|set)\b/.test(type);
}

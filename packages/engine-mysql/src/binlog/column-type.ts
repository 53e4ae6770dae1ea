/** Column types of the binlog (MySQL manual of its source, "enum_field_types"; 140 and 141 are MariaDB's). */
export const TYPE = {
  TINY: 1,
  SHORT: 2,
  LONG: 3,
  FLOAT: 4,
  DOUBLE: 5,
  TIMESTAMP: 7,
  LONGLONG: 8,
  INT24: 9,
  DATE: 10,
  TIME: 11,
  DATETIME: 12,
  YEAR: 13,
  VARCHAR: 15,
  BIT: 16,
  TIMESTAMP2: 17,
  DATETIME2: 18,
  TIME2: 19,
  BLOB_COMPRESSED: 140,
  VARCHAR_COMPRESSED: 141,
  VECTOR: 242,
  JSON: 245,
  NEWDECIMAL: 246,
  ENUM: 247,
  SET: 248,
  BLOB: 252,
  VAR_STRING: 253,
  STRING: 254,
  GEOMETRY: 255,
} as const;

/** One column as its table map describes it. */
export interface MappedColumn {
  readonly type: number;
  /** Bytes, bits, precision, digits of a second, or how many bytes a blob's length has; 0 where there is none. */
  readonly size: number;
  readonly scale: number;
  /** From the optional metadata, where they are full. */
  name: string | null;
  isUnsigned: boolean;
  collation: number | null;
  labels: readonly Buffer[] | null;
  geometryType: number | null;
  dimensions: number | null;
}

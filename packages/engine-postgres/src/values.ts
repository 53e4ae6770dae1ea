import type { LogicalType } from "@lockstep/core";
import type { CatalogKeys } from "./wal/full-identity-keys.ts";

/** What the catalog says of a column's type; key `<type oid>:<modifier>`. */
export interface ColumnType {
  /** As `format_type` prints it with an empty search_path, e.g. `numeric(10,2)`. */
  readonly nativeType: string;
  readonly type: LogicalType;
}

export type ColumnTypes = ReadonlyMap<string, ColumnType>;

/** What of the primary's catalog is needed to understand its stream. */
export interface SourceCatalog {
  readonly types: ColumnTypes;
  readonly keys: CatalogKeys;
}

export function columnTypeKey(oid: number, modifier: number): string {
  return `${oid}:${modifier}`;
}

/** Reads types from the catalog for a list of (oid, modifier) pairs; see `columnTypeOf`. */
export const COLUMN_TYPE_COLUMNS = `
  pg_catalog.format_type(c.oid, c.modifier) as "nativeType", t.typname as "typeName",
  t.typtype as "typeKind", t.typcategory as "category", n.nspname as "typeSchema"`;

export interface ColumnTypeRow {
  readonly nativeType: string | null;
  readonly typeName: string | null;
  readonly typeKind: string | null;
  readonly category: string | null;
  readonly typeSchema: string | null;
}

/** The logical type of what the catalog describes; a type that no longer exists is `other`. */
export function columnTypeOf(row: ColumnTypeRow): ColumnType {
  return { nativeType: row.nativeType ?? "unknown", type: logicalTypeOf(row) };
}

function logicalTypeOf(row: ColumnTypeRow): LogicalType {
  if (row.typeKind === "e") return "enum";
  if (row.category === "A") return "array";
  if (row.typeSchema !== "pg_catalog" || row.typeName === null) return "other";
  return BUILT_IN.get(row.typeName) ?? "other";
}

const BUILT_IN: ReadonlyMap<string, LogicalType> = new Map([
  ["bool", "boolean"],
  ["int2", "int16"],
  ["int4", "int32"],
  ["int8", "int64"],
  ["oid", "int64"],
  ["float4", "float32"],
  ["float8", "float64"],
  ["numeric", "decimal"],
  ["text", "string"],
  ["varchar", "string"],
  ["bpchar", "string"],
  ["name", "string"],
  ["bytea", "bytes"],
  ["date", "date"],
  ["time", "time"],
  ["timetz", "timetz"],
  ["timestamp", "timestamp"],
  ["timestamptz", "timestamptz"],
  ["interval", "interval"],
  ["uuid", "uuid"],
  ["json", "json"],
  ["jsonb", "json"],
  ["bit", "bits"],
  ["varbit", "bits"],
]);

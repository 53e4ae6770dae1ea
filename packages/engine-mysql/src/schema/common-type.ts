import type { LogicalType } from "@lockstep/core";
import { labelsOf } from "../sink/target-type.ts";

/** What the catalog says of a column's type. */
export interface CatalogType {
  /** As `information_schema` has it: `varchar`, `int`, `point`, … */
  readonly dataType: string;
  /** With everything, e.g. `decimal(10,2) unsigned`. */
  readonly columnType: string;
  /** Null: no text, or one in the character set `binary`. */
  readonly charset: string | null;
}

const INTEGERS: Readonly<Record<string, readonly [signed: LogicalType, unsigned: LogicalType]>> = {
  tinyint: ["int16", "int16"],
  smallint: ["int16", "int32"],
  mediumint: ["int32", "int32"],
  int: ["int32", "int64"],
  bigint: ["int64", "uint64"],
};

const OTHERS: Readonly<Record<string, LogicalType>> = {
  decimal: "decimal",
  float: "float32",
  double: "float64",
  year: "int16",
  date: "date",
  datetime: "timestamp",
  timestamp: "timestamptz",
  time: "time",
  bit: "bits",
  json: "json",
  enum: "enum",
  set: "set",
  uuid: "uuid",
  inet4: "string",
  inet6: "string",
  vector: "vector",
};

const GEOMETRIES =
  /^(geometry|point|linestring|polygon|multipoint|multilinestring|multipolygon|geomcollection|geometrycollection)$/;
/** Types whose length or digits are part of the decoder's name of them. */
const MEASURED = /^(?:(?:var)?char|(?:var)?binary|decimal|bit|vector|datetime|timestamp|time)$/;

/** The same as the log's own, read from the catalog. */
export function logicalTypeOf({ dataType, columnType, charset }: CatalogType): LogicalType {
  const integer = INTEGERS[dataType];
  if (integer !== undefined) return integer[columnType.includes(" unsigned") ? 1 : 0];
  if (GEOMETRIES.test(dataType)) return "geometry";
  return OTHERS[dataType] ?? (charset === null ? "bytes" : "string");
}

/** The name that the decoder gives a type: without display width, ZEROFILL and what else is no part of it. */
export function nativeTypeOf({ dataType, columnType }: CatalogType): string {
  if (dataType === "enum" || dataType === "set") {
    const labels = labelsOf(columnType).map((label) => `'${label.replaceAll("'", "''")}'`);
    return `${dataType}(${labels.join(",")})`;
  }
  if (dataType === "geomcollection") return "geometrycollection";
  const size = MEASURED.test(dataType) ? (/\([\d, ]+\)/.exec(columnType)?.[0] ?? "") : "";
  return `${dataType}${size.replace(" ", "")}${columnType.includes(" unsigned") ? " unsigned" : ""}`;
}

import { ReplicationError, type LogicalType } from "@lockstep/core";
import { bits, bytes, geometry, vector } from "./bytes.ts";
import type { Charset, Charsets } from "./charsets.ts";
import type { ColumnReader } from "./column-reader.ts";
import { TYPE, type MappedColumn } from "./column-type.ts";
import { compressed } from "./compressed.ts";
import { decimal } from "./decimal.ts";
import { enumeration, set } from "./enum-set.ts";
import { double, float } from "./floats.ts";
import { hiddenType } from "./hidden-types.ts";
import { bigint, int, mediumint, smallint, tinyint, year } from "./integers.ts";
import { json } from "./json.ts";
import { text, undecodable, type TextPlace } from "./strings.ts";
import { date, datetime, time, timestamp } from "./temporal.ts";

/** What a column is, and how its values are read. */
export interface ColumnDefinition {
  readonly type: LogicalType;
  /** As SHOW CREATE TABLE has it, without charset, display width and attributes: `decimal(10,2) unsigned`. */
  readonly nativeType: string;
  readonly reader: ColumnReader;
}

export interface DefinitionContext extends CharsetContext {
  readonly maxRowBytes: number;
  /** The catalog's own name of a type that the log shows as bytes, where there is one. */
  readonly hiddenType: string | null;
}

interface CharsetContext {
  readonly charsets: Charsets;
  /** `schema.table.column`. */
  readonly label: string;
}

const BLOB_NAMES: readonly string[] = ["", "tiny", "", "medium", "long"];
const GEOMETRIES: readonly string[] = [
  "geometry",
  "point",
  "linestring",
  "polygon",
  "multipoint",
  "multilinestring",
  "multipolygon",
  "geometrycollection",
];

export function defineColumn(column: MappedColumn, context: DefinitionContext): ColumnDefinition {
  const { type, size, scale, isUnsigned } = column;
  switch (type) {
    case TYPE.TINY:
      return define("int16", numeric("tinyint", isUnsigned), tinyint(isUnsigned));
    case TYPE.SHORT:
      return define(isUnsigned ? "int32" : "int16", numeric("smallint", isUnsigned), smallint(isUnsigned));
    case TYPE.INT24:
      return define("int32", numeric("mediumint", isUnsigned), mediumint(isUnsigned));
    case TYPE.LONG:
      return define(isUnsigned ? "int64" : "int32", numeric("int", isUnsigned), int(isUnsigned));
    case TYPE.LONGLONG:
      return define(isUnsigned ? "uint64" : "int64", numeric("bigint", isUnsigned), bigint(isUnsigned));
    case TYPE.FLOAT:
      return define("float32", numeric("float", isUnsigned), float());
    case TYPE.DOUBLE:
      return define("float64", numeric("double", isUnsigned), double());
    case TYPE.NEWDECIMAL:
      return define("decimal", numeric(`decimal(${size},${scale})`, isUnsigned), decimal(size, scale));
    case TYPE.YEAR:
      return define("int16", "year", year());
    case TYPE.DATE:
      return define("date", "date", date());
    case TYPE.DATETIME2:
      return define("timestamp", withDigits("datetime", size), datetime(size));
    case TYPE.TIMESTAMP2:
      return define("timestamptz", withDigits("timestamp", size), timestamp(size));
    case TYPE.TIME2:
      return define("time", withDigits("time", size), time(size));
    case TYPE.BIT:
      return define("bits", `bit(${size})`, bits(size));
    case TYPE.JSON:
      return define("json", "json", json(size, context.label));
    case TYPE.GEOMETRY:
      return define("geometry", GEOMETRIES[column.geometryType ?? 0] ?? "geometry", geometry(size));
    case TYPE.VECTOR:
      return define("vector", `vector(${column.dimensions ?? ""})`, vector(size));
    case TYPE.ENUM:
    case TYPE.SET:
      return defineLabelled(column, context);
    default:
      return defineString(column, context);
  }
}

function defineLabelled(column: MappedColumn, context: DefinitionContext): ColumnDefinition {
  const charset = charsetOf(column, context);
  const decode = charset.decode ?? ((bytes: Buffer) => bytes.toString("latin1"));
  const place = { column: context.label, charset: charset.name };
  const labels = (column.labels ?? []).map((label) => decode(label, 0, label.length) ?? undecodable(place));
  const quoted = labels.map((label) => `'${label.replaceAll("'", "''")}'`).join(",");
  return column.type === TYPE.ENUM
    ? define("enum", `enum(${quoted})`, enumeration(labels, column.size))
    : define("set", `set(${quoted})`, set(labels, column.size));
}

function defineString(column: MappedColumn, context: DefinitionContext): ColumnDefinition {
  const { type, size } = column;
  const charset = charsetOf(column, context);
  const place: TextPlace = { column: context.label, charset: charset.name };
  const { decode } = charset;
  const isBlob = type === TYPE.BLOB || type === TYPE.BLOB_COMPRESSED;
  const width = isBlob ? size : size > 255 ? 2 : 1;
  if (width < 1 || width > 4) throw new RangeError(`a length of ${width} bytes`);
  if (type === TYPE.BLOB_COMPRESSED || type === TYPE.VARCHAR_COMPRESSED) {
    const textOf =
      decode === null
        ? (value: Buffer) => `\\x${value.toString("hex")}`
        : (value: Buffer) => decode(value, 0, value.length) ?? undecodable(place);
    return define(
      decode === null ? "bytes" : "string",
      nameOf(column, charset),
      compressed(width, context.maxRowBytes, textOf),
    );
  }
  if (decode !== null) return define("string", nameOf(column, charset), text(width, decode, place));
  const hidden = isBlob ? null : hiddenType(context.hiddenType, size);
  if (hidden !== null) return hidden;
  return define("bytes", nameOf(column, charset), bytes(width, type === TYPE.STRING ? size : 0));
}

/** Whether its values are no text. */
export function isBytes(column: MappedColumn, context: CharsetContext): boolean {
  return charsetOf(column, context).decode === null;
}

function charsetOf({ collation }: MappedColumn, { charsets, label }: CharsetContext): Charset {
  if (collation === null)
    throw new ReplicationError("protocol-violation", `${label} has no collation in its table map`);
  return charsets.ofCollation(collation, label);
}

function nameOf({ type, size }: MappedColumn, { decode, maxBytes }: Charset): string {
  const isText = decode !== null;
  // A compressed value has one byte of its own in front.
  const characters = Math.floor((type === TYPE.VARCHAR_COMPRESSED ? size - 1 : size) / maxBytes);
  switch (type) {
    case TYPE.BLOB:
    case TYPE.BLOB_COMPRESSED:
      return `${BLOB_NAMES[size] ?? ""}${isText ? "text" : "blob"}`;
    case TYPE.STRING:
      return `${isText ? "char" : "binary"}(${characters})`;
    default:
      return `${isText ? "varchar" : "varbinary"}(${characters})`;
  }
}

function define(type: LogicalType, nativeType: string, reader: ColumnReader): ColumnDefinition {
  return { type, nativeType, reader };
}

function numeric(name: string, isUnsigned: boolean): string {
  return isUnsigned ? `${name} unsigned` : name;
}

function withDigits(name: string, digits: number): string {
  return digits === 0 ? name : `${name}(${digits})`;
}

import type { LogicalType, Table } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";

/** A type of a replica's column, and what is written to it: canonical text of a logical type. */
export interface ValueCase {
  readonly column: string;
  readonly type: LogicalType;
  readonly texts: readonly string[];
  /** SQL that shows the column `v`; what it shows is the text, or what `shown` makes of it. */
  readonly read?: string;
  readonly shown?: (text: string) => string;
  readonly isKey?: boolean;
  readonly only?: Flavour;
}

const number = (text: string): string => (Object.is(Number(text), -0) ? "-0" : String(Number(text)));
const single = (text: string): string =>
  Object.is(Number(text), -0) ? "-0" : String(Math.fround(Number(text)));
const HEX = "concat('\\\\x', lower(hex(v)))";
const noZone = (text: string): string => text.replace("+00", "");
const micros = (text: string): string =>
  text.includes(".") ? `${text}000000`.replace(/(\.\d{6}).*/, "$1") : `${text}.000000`;
const TEXTS = ["", "a", "A", "é", 'it\'s \\ "x"'];
const UNICODE = [...TEXTS, "€𝄞", "e\u0301", "a\u0000b", "line\n"];
const POINT = "0101000000000000000000f03f0000000000000040";

export const VALUE_CASES: readonly ValueCase[] = [
  { column: "tinyint", type: "int16", texts: ["-128", "0", "127"], isKey: true },
  {
    column: "tinyint(1)",
    type: "boolean",
    texts: ["t", "f"],
    shown: (text) => (text === "t" ? "1" : "0"),
    isKey: true,
  },
  { column: "smallint", type: "int16", texts: ["-32768", "32767"], isKey: true },
  { column: "mediumint", type: "int32", texts: ["-8388608", "8388607"] },
  { column: "int unsigned", type: "int64", texts: ["0", "4294967295"], isKey: true },
  { column: "bigint", type: "int64", texts: ["-9223372036854775808", "9007199254740993"], isKey: true },
  {
    column: "bigint unsigned",
    type: "uint64",
    texts: ["18446744073709551615", "18446744073709551614"],
    isKey: true,
  },
  { column: "bigint", type: "decimal", texts: ["12", "-3.00"], shown: (text) => text.replace(".00", "") },
  {
    column: "decimal(65,30)",
    type: "decimal",
    texts: [`-${"9".repeat(35)}.${"9".repeat(30)}`, `0.${"0".repeat(29)}1`, `12.${"0".repeat(30)}`],
    isKey: true,
  },
  {
    column: "decimal(4,2)",
    type: "decimal",
    texts: ["1.5000", "-0.01"],
    shown: (text) => Number(text).toFixed(2),
  },
  {
    column: "float",
    type: "float32",
    texts: ["0.1", "-0", "3.4028235e+38", "1.4e-45", "16777216"],
    read: "v * 1e0",
    shown: single,
    isKey: true,
  },
  {
    column: "double",
    type: "float64",
    texts: ["0.1", "-0", "1.7976931348623157e+308", "5e-324", "1e+20", "0.30000000000000004"],
    shown: number,
    isKey: true,
  },
  { column: "bit(1)", type: "bits", texts: ["0", "1"], read: "bin(v)" },
  {
    column: "bit(64)",
    type: "bits",
    texts: ["1".repeat(64), `${"0".repeat(63)}1`],
    read: "lpad(bin(v), 64, '0')",
    isKey: true,
  },
  { column: "year", type: "int16", texts: ["0", "1901", "2155"], read: "v + 0", isKey: true },
  { column: "varchar(99) charset utf8mb4 collate utf8mb4_bin", type: "string", texts: UNICODE, isKey: true },
  {
    column: "varchar(99) charset utf8mb4 collate utf8mb4_general_ci",
    type: "string",
    texts: ["x", "€", "𝄞", "it's"],
    isKey: true,
  },
  { column: "varchar(99) charset latin1", type: "string", texts: ["x", "é", "€"], isKey: true },
  { column: "varchar(99) charset utf16", type: "string", texts: ["x", "𝄞"], isKey: true },
  { column: "char(9) charset utf8mb4", type: "string", texts: ["x", " é"], isKey: true },
  { column: "longtext charset utf8mb4", type: "json", texts: ['{"a": "é\\\\"}'] },
  {
    column: "varchar(99) collate utf8mb4_bin",
    type: "date",
    texts: ["infinity", "0044-03-15 BC", "10000-01-01"],
    isKey: true,
  },
  {
    column: "varchar(99) collate utf8mb4_bin",
    type: "timestamptz",
    texts: ["-infinity", "294276-12-31 23:59:59.999999+00"],
    isKey: true,
  },
  { column: "longtext charset utf8mb4", type: "decimal", texts: ["NaN", "-Infinity", `1.${"0".repeat(99)}`] },
  { column: "varchar(99)", type: "float64", texts: ["NaN", "Infinity"] },
  { column: "varchar(99)", type: "bits", texts: ["", "0101"] },
  {
    column: "varbinary(9)",
    type: "bytes",
    texts: ["\\x", "\\x00ff27", "\\x00ff2700"],
    read: HEX,
    isKey: true,
  },
  { column: "binary(4)", type: "bytes", texts: ["\\x00ff2700"], read: HEX, isKey: true },
  { column: "longblob", type: "bytes", texts: ["\\x", "\\x5c27"], read: HEX },
  {
    column: "date",
    type: "date",
    texts: ["0000-00-00", "2024-00-10", "2023-02-30", "9999-12-31"],
    isKey: true,
  },
  {
    column: "time(6)",
    type: "time",
    texts: ["-838:59:59", "838:59:58.999999", "-00:00:00.000001", "00:00:00"],
    shown: micros,
    isKey: true,
  },
  {
    column: "datetime(6)",
    type: "timestamp",
    texts: ["0000-00-00 00:00:00", "9999-12-31 23:59:59.999999", "2024-02-29 01:02:03.4"],
    shown: micros,
    isKey: true,
  },
  {
    column: "datetime",
    type: "timestamp",
    texts: ["2024-03-31 02:30:00.000"],
    shown: (text) => text.slice(0, 19),
    isKey: true,
  },
  {
    column: "timestamp(6) null",
    type: "timestamptz",
    texts: ["1970-01-01 00:00:01+00", "2038-01-19 03:14:07.499999+00", "0000-00-00 00:00:00"],
    shown: (text) => micros(noZone(text)),
  },
  { column: "enum('a','it''s','2','é,')", type: "enum", texts: ["a", "it's", "2", "é,"], isKey: true },
  { column: "set('a','b','3')", type: "set", texts: ["", "a,b", "3"], isKey: true },
  { column: "json", type: "json", texts: ['{"a": 1.0}', '["é", null, 12345678901234567890]'], only: "mysql" },
  { column: "json", type: "string", texts: ['{"a": 1.0}'], only: "mariadb" },
  {
    column: "uuid",
    type: "uuid",
    texts: ["123e4567-e89b-12d3-a456-426614174000"],
    only: "mariadb",
    isKey: true,
  },
  {
    column: "binary(16)",
    type: "uuid",
    texts: ["123e4567-e89b-12d3-a456-426614174000"],
    read: "lower(hex(v))",
    shown: (text) => text.replaceAll("-", ""),
  },
  { column: "inet6", type: "string", texts: ["::1", "2001:db8::ff00:42:8329"], only: "mariadb", isKey: true },
  {
    column: "vector(2)",
    type: "vector",
    texts: ["[1,2.5]", "[-1e-7,0.1]"],
    read: "vector_to_string(v)",
    shown: (text) => text,
    only: "mysql",
  },
  { column: "vector(2)", type: "vector", texts: ["[1,2.5]"], read: "vec_totext(v)", only: "mariadb" },
  {
    column: "geometry",
    type: "geometry",
    texts: [`SRID=0;${POINT}`, `SRID=4326;${POINT}`],
    read: "lower(hex(v))",
    shown: (text) => (text.startsWith("SRID=0") ? "00000000" : "e6100000") + POINT,
  },
];

export const REFUSED_VALUES: readonly (readonly [column: string, type: LogicalType, text: string])[] = [
  ["tinyint", "int16", "128"],
  ["int unsigned", "int32", "-1"],
  ["bigint", "decimal", "1.5"],
  ["int", "int32", "1 or 1"],
  ["decimal(5,2)", "decimal", "1.234"],
  ["decimal(5,2)", "decimal", "1000"],
  ["decimal(5,2)", "decimal", "NaN"],
  ["double", "float64", "NaN"],
  ["double", "float64", "Infinity"],
  ["float", "float32", "-Infinity"],
  ["bit(3)", "bits", "1000"],
  ["varchar(3)", "string", "abcd"],
  ["varchar(3)", "string", "abc "],
  ["char(3)", "string", "a "],
  ["varchar(9) charset latin1", "string", "𝄞"],
  ["varchar(9) charset utf8mb3", "string", "𝄞"],
  ["varbinary(2)", "bytes", "\\x010203"],
  ["binary(4)", "bytes", "\\x01"],
  ["blob", "bytes", "x'00'"],
  ["date", "date", "10000-01-01"],
  ["date", "date", "infinity"],
  ["date", "date", "0044-03-15 BC"],
  ["datetime(6)", "timestamp", "0001-01-01 00:00:00 BC"],
  ["datetime(6)", "timestamptz", "-infinity"],
  ["datetime(6)", "timestamptz", "294276-12-31 23:59:59.999999+00"],
  ["datetime(6)", "timestamptz", "2024-01-01 00:00:00+05:30"],
  ["decimal(65,30)", "decimal", "Infinity"],
  ["date", "date", "2024-13-01"],
  ["time", "time", "00:00:00.5"],
  ["time", "time", "839:00:00"],
  ["datetime", "timestamp", "2024-01-01 00:00:00.000001"],
  ["datetime(3)", "timestamp", "2024-01-01 00:00:00.0001"],
  ["timestamp null", "timestamptz", "1969-12-31 23:59:59+00"],
  ["enum('a','b')", "enum", "2"],
  ["enum('a','b')", "enum", ""],
  ["set('a','b')", "set", "a,3"],
  ["year", "int16", "1900"],
];

/** A table `items` of such columns. */
export function itemsOf(
  schema: string,
  columns: readonly (readonly [string, LogicalType, boolean])[],
): Table {
  return {
    id: 0,
    schema,
    name: "items",
    columns: columns.map(([name, type, isKey]) => ({ name, type, nativeType: type, isKey })),
  };
}

/** MariaDB has no negative zero: whatever is written, it keeps the zero that is equal to it. */
export function withoutSign(flavour: Flavour, shown: string): string {
  return flavour === "mariadb" && shown === "-0" ? "0" : shown;
}

/** Servers print numbers in their own ways; texts that are equal as numbers are. */
export function normalOf(type: LogicalType, shown: string): string {
  return type.startsWith("float")
    ? number(shown)
    : type === "vector"
      ? shown.replaceAll(/[\d.e+-]+/gi, (one) => String(Number(one)))
      : shown;
}

import { expect, test } from "vitest";
import type { LogicalType } from "@lockstep/core";
import { UnfitValue } from "./exact-values.ts";
import { POSTGRES_TYPE_RULES, writeFor } from "./type-rules.ts";

/** By the catalog's name of the column's type, and the type with its modifier. */
function written(type: LogicalType, typeName: string, nativeType: string, text: string): string {
  const write = writeFor(type, { typeSchema: "pg_catalog", typeKind: "b", typeName, nativeType });
  if (write === null) throw new TypeError(`${nativeType} takes no ${type}`);
  return write(text);
}

test.each<[LogicalType, string, string, string]>([
  ["decimal", "numeric", "numeric(10,2)", "1.50000"],
  ["decimal", "numeric", "numeric", "1.123456789"],
  ["uint64", "int8", "bigint", "9223372036854775807"],
  ["int16", "bool", "boolean", "1"],
  ["string", "varchar", "character varying(2)", "😀😀"],
  ["timestamp", "timestamp", "timestamp(3) without time zone", "2024-02-29 00:00:00.123000"],
  ["timestamptz", "timestamptz", "timestamp(0) with time zone", "2024-02-29 00:00:00.000000+00"],
  ["time", "time", "time without time zone", "24:00:00"],
  ["time", "interval", "interval", "-838:59:59.000001"],
  ["json", "jsonb", "jsonb", '{"a-0": "-0 \\\\u0000", "b": -0.5, "c": 1e-05}'],
  ["bits", "bit", "bit(3)", "101"],
  ["date", "text", "text", "0000-00-00"],
  ["timestamptz", "varchar", "character varying(30)", "2024-02-29 00:00:00+00"],
])("%s into %s (%s): %s as it is", (type, typeName, nativeType, text) => {
  expect(written(type, typeName, nativeType, text)).toBe(text);
});

test("a float among doubles is its own value", () => {
  expect(written("float32", "float8", "double precision", "0.1")).toBe("0.10000000149011612");
  expect(written("float32", "float8", "double precision", "-0")).toBe("-0");
});

test.each<[LogicalType, string, string, string]>([
  ["decimal", "numeric", "numeric(10,2)", "1.501"],
  ["uint64", "int8", "bigint", "9223372036854775808"],
  ["int16", "bool", "boolean", "2"],
  ["string", "varchar", "character varying(2)", "ab "], // Would be cut in silence.
  ["string", "text", "text", "a\0b"],
  ["date", "date", "date", "0000-00-00"],
  ["date", "date", "date", "2020-05-00"],
  ["timestamp", "timestamp", "timestamp without time zone", "2020-00-01 01:02:03"],
  ["timestamp", "timestamp", "timestamp(3) without time zone", "2024-02-29 00:00:00.1234"],
  ["timestamptz", "timestamptz", "timestamp with time zone", "0000-00-00 00:00:00"],
  ["time", "time", "time without time zone", "-00:00:01"],
  ["time", "time", "time without time zone", "100:00:00"],
  ["time", "time", "time without time zone", "24:00:01"],
  ["time", "interval", "interval(2)", "00:00:00.001"],
  ["json", "jsonb", "jsonb", "[-0.0]"],
  ["json", "jsonb", "jsonb", '"\\u0000"'],
  ["bits", "bit", "bit(3)", "10"],
  ["bits", "varbit", "bit varying(3)", "1010"],
])("%s into %s (%s): %s is refused", (type, typeName, nativeType, text) => {
  expect(() => written(type, typeName, nativeType, text)).toThrow(UnfitValue);
});

test.each<[LogicalType, string, string]>([
  ["decimal", "numeric", "numeric(3,-2)"],
  ["int64", "numeric", "numeric(3,-2)"],
  ["int32", "int2", "smallint"],
  ["float64", "float4", "real"],
  ["string", "bpchar", "character(3)"],
  ["timestamp", "timestamptz", "timestamp with time zone"],
  ["time", "interval", "interval day to hour"],
  ["decimal", "float8", "double precision"],
])("%s into %s (%s) is refused as a column", (type, typeName, nativeType) => {
  expect(writeFor(type, { typeSchema: "pg_catalog", typeKind: "b", typeName, nativeType })).toBeNull();
});

test("every logical type has a rule, and takes what is made for it", () => {
  for (const { creates, takes } of POSTGRES_TYPE_RULES) {
    const [name = ""] = (creates ?? "").split(/[(,]/);
    expect(takes.some((type) => type.startsWith(name))).toBe(true);
  }
});

import { expect, test } from "vitest";
import type { LogicalType } from "@lockstep/core";
import { constantDefault } from "./constant-default.ts";

const of = (
  type: LogicalType,
  baseType: string,
  sizes: { readonly maxLength?: number; readonly scale?: number } = {},
): Parameters<typeof constantDefault>[1] => ({
  column: { type, maxLength: sizes.maxLength ?? null, precision: null, scale: sizes.scale ?? null },
  baseType,
});

const INT = of("int32", "integer");
const NUMERIC = of("decimal", "numeric", { scale: 2 });
const TEXT = of("string", "text");
const CODE = of("string", "bpchar", { maxLength: 3 });
const MOMENT = of("timestamptz", "timestamp with time zone", { scale: 3 });
const BITS = of("bits", '"bit"', { maxLength: 3 });

test.each([
  ["42", INT, "42"],
  ["'-5'::integer", INT, "-5"],
  ["'-5'::integer", of("int64", "bigint"), "-5"],
  ["1.50", NUMERIC, "1.50"],
  ["0", of("float64", "double precision"), "0"],
  ["'-0'::double precision", of("float64", "double precision"), "-0"],
  ["true", of("boolean", "boolean"), "t"],
  ["'it''s'::text", TEXT, "it's"],
  ["'a\nb'::character varying", TEXT, "a\nb"],
  ["'a'::bpchar", CODE, "a  "],
  ["'😀😀😀'::bpchar", CODE, "😀😀😀"],
  ["'2024-01-01 00:00:00.5+00'::timestamp with time zone", MOMENT, "2024-01-01 00:00:00.5+00"],
  ["'happy'::public.mood", of("enum", "public.mood"), "happy"],
  ["'{}'::jsonb", of("json", "jsonb"), "{}"],
  ["B'101'::\"bit\"", BITS, "101"],
])("%s is a constant", (expression, column, text) => {
  expect(constantDefault(expression, column)).toEqual({ kind: "value", text });
});

test.each([
  ["1.5", INT], // Rounded by an assignment.
  ["1.505", NUMERIC],
  ["0.12345678", of("float32", "real")],
  ["'abcd'::bpchar", CODE],
  ["B'1'::\"bit\"", BITS],
  ["'2024-01-01 00:00:00.0005+00'::timestamp with time zone", MOMENT],
  ["'2024-01-01 00:00:00'::timestamp without time zone", MOMENT], // By the zone of whoever inserts.
  ["('now'::text)::timestamp with time zone", MOMENT],
  ["lower('A'::text)", TEXT],
  ["('a'::text || 'b'::text)", TEXT],
  ["now()", TEXT],
  ["ARRAY[1, 2]", of("array", "integer[]")],
])("%s would have to be run", (expression, column) => {
  expect(constantDefault(expression, column)).toBeUndefined();
});

test("the moment, and nothing", () => {
  for (const expression of ["now()", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP(3)", "transaction_timestamp()"])
    expect(constantDefault(expression, MOMENT)).toEqual({ kind: "now" });
  expect(constantDefault("NULL::character varying", TEXT)).toBeNull();
});

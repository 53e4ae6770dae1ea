import { describe, expect, test } from "vitest";
import type { LogicalType } from "@lockstep/core";
import { postgresLiteral } from "./postgres-literal.ts";

function literalOf(
  type: LogicalType,
  nativeType: string,
  columnType: string,
): ((text: string) => string) | null {
  const target = {
    name: "v",
    dataType: columnType.replace(/\(.*/, ""),
    columnType,
    charset: columnType === "longtext" ? "utf8mb4" : null,
    collation: null,
    scale: 0,
    isGenerated: false,
    definition: "",
    isRequired: false,
    fillsNull: false,
  };
  return postgresLiteral({ name: "v", type, nativeType, isKey: false }, target);
}

describe("PostgreSQL's", () => {
  test.each([
    '{"a": 1, "a": 2}',
    '[{}, {"b": {"x": 1, "\\u0078": 2}}]',
    '{"": 0, "q": ["a", "a"], "": 1}',
    '{"}": 1, "}": 2}',
  ])("document with a name twice is none of MySQL's: %s", (document) => {
    expect(() => literalOf("json", "json", "json")?.(document)).toThrow("a name twice");
    expect(literalOf("json", "jsonb", "json")?.("{}")).toBe("'{}'");
    expect(literalOf("json", "json", "longtext")?.(document)).toContain("1");
  });

  test.each([
    '{"a": "a", "b": {"a": 1}, "c": [{"a": 1}, {"a": 2}]}',
    '["a", "a", {"x": ["x", "x"]}]',
    '"a"',
    "null",
  ])("document is taken where each has its own: %s", (document) =>
    expect(literalOf("json", "json", "json")?.(document)).toBe(`'${document}'`),
  );

  test("bits are told apart by their number, too", () => {
    expect(literalOf("bits", "bit(3)", "bit(3)")?.("011")).toBe("b'011'");
    expect(literalOf("bits", "bit(3)", "bit(8)")).toBeNull();
    expect(literalOf("bits", "bit varying(3)", "bit(3)")).toBeNull();
    expect(literalOf("bits", "bit varying(3)", "longtext")?.("01")).toBe("'01'");
    expect(literalOf("boolean", "boolean", "bit(1)")?.("t")).toBe("1");
  });
});

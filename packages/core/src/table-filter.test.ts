import { expect, test } from "vitest";
import { matchesTable } from "./table-filter.ts";

const table = (schema: string, name: string): { schema: string; name: string } => ({ schema, name });

test.each([
  ["public.*", "public", "orders", true],
  ["public.*", "Public", "orders", false],
  ["public.*", "public2", "orders", false],
  ["public.audit_*", "public", "audit_log", true],
  ["public.audit_*", "public", "my_audit_log", false],
  ["*.orders", "sales", "orders", true],
  ["orders", "sales", "orders", true],
  ["sales.order?", "sales", "orders", true],
  ["sales.order?", "sales", "order", false],
  ["public.a.b", "public", "a.b", true],
  ["public.a.b", "public", "axb", false],
  ["public.x[1]", "public", "x[1]", true],
  ["public.*", "public", "line\nbreak", true],
])("%s against %s.%s is %s", (pattern, schema, name, expected) => {
  expect(matchesTable({ include: [pattern], exclude: [] }, table(schema, name))).toBe(expected);
});

test("what is excluded is out, whatever includes it", () => {
  const filter = { include: ["public.*", "public.audit_log"], exclude: ["*.audit_*"] };
  expect(matchesTable(filter, table("public", "audit_log"))).toBe(false);
  expect(matchesTable(filter, table("public", "orders"))).toBe(true);
});

import { expect, test } from "vitest";
import type { CommonTable } from "./common-schema.ts";
import { findLostCollations } from "./lost-collations.ts";

const tableOf = (name: string, collations: CommonTable["collations"]): CommonTable => ({
  schema: "shop",
  name,
  columns: [],
  primaryKey: null,
  uniques: [],
  indexes: [],
  foreignKeys: [],
  collations,
  leftOut: [],
});

test("one finding for all tables, by collation", () => {
  const tables = [
    tableOf("items", [
      { collation: "utf8mb4_0900_ai_ci", columns: ["name", "label"] },
      { collation: "latin1_swedish_ci", columns: ["code"] },
    ]),
    tableOf("plain", []),
    tableOf("users", [{ collation: "utf8mb4_0900_ai_ci", columns: ["email"] }]),
  ];
  const list =
    "collation utf8mb4_0900_ai_ci of shop.items (name, label), shop.users (email); latin1_swedish_ci of shop.items (code)";
  expect(findLostCollations(tables, "eu")).toMatchObject([
    { level: "warning", code: "left-out", what: expect.stringMatching(/^replica eu .*/) as unknown },
  ]);
  expect(findLostCollations(tables, "eu")[0]?.what.endsWith(list)).toBe(true);
  expect(findLostCollations([tableOf("plain", [])], "eu")).toEqual([]);
});

test("of many tables and collations the first are named, and the others counted", () => {
  const columns = Array.from({ length: 50 }, (_, at) => `column_${at}`);
  const collations = Array.from({ length: 50 }, (_, at) => ({ collation: `of_${at}_ci`, columns }));
  const tables = Array.from({ length: 50 }, (_, at) => tableOf(`table_${at}`, collations));
  const what = findLostCollations(tables, "eu")[0]?.what ?? "";
  expect(what.length).toBeLessThan(2_500);
  expect(what).toMatch(/\(column_0, .*, column_4 and 45 more\), .* and 40 more; and \d+ collations more$/);
});

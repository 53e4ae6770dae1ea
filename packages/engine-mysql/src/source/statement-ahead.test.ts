import { expect, test } from "vitest";
import { mayRetype } from "./statement-ahead.ts";

const ITEMS = { schema: "shop", name: "items" };

test.each([
  ["alter table items modify u uuid", ["u"]],
  ["ALTER TABLE `shop`.`items` DROP `U`", ["u"]],
  ["alter table items add g int as (id * 2)", []],
  ["alter table items add g int generated always as (id * 2) stored", []],
  ["alter table items change a b int persistent", []],
  ["drop table items", ["u"]],
  ["drop table other, items", ["u"]],
  ["drop database shop", ["u"]],
  ["rename table items to old, new to items", ["u"]],
  ["create or replace table items like other", ["u"]],
])("%s: what %j was before, nobody knows", (sql, doubtful) => {
  expect(mayRetype({ schema: "shop", sql }, ITEMS, doubtful)).toBe(true);
});

test.each([
  ["alter table items add note text", ["u"]],
  ["alter table items drop note", ["u"]],
  ["alter table items engine = InnoDB", ["u"]],
  ["alter table other modify u uuid", ["u"]],
  ["drop table items", []],
  ["create index i on items (a)", ["u"]],
])("%s: %j is what it was", (sql, doubtful) => {
  expect(mayRetype({ schema: "shop", sql }, ITEMS, doubtful)).toBe(false);
});

test("a statement of another database, and a name that is written with backticks in it", () => {
  const sql = "alter table items modify u uuid";
  expect(mayRetype({ schema: "audit", sql }, ITEMS, ["u"])).toBe(false);
  expect(mayRetype({ schema: "audit", sql: sql.replace("items", "shop.items") }, ITEMS, ["u"])).toBe(true);
  const quoted = { schema: "shop", sql: "alter table `it``ems` modify u uuid" };
  expect(mayRetype(quoted, { schema: "shop", name: "it`ems" }, ["u"])).toBe(true);
});

import { expect, test } from "vitest";
import { meaningOf } from "./statement.ts";

test.each([
  ["truncate items", { schema: "shop", name: "items" }],
  ["TRUNCATE TABLE items;", { schema: "shop", name: "items" }],
  ["truncate table `it``ems`", { schema: "shop", name: "it`ems" }],
  ["truncate table other.items", { schema: "other", name: "items" }],
  ["truncate `o.t`.`items`", { schema: "o.t", name: "items" }],
  ["/* a */ -- b\n# c\n truncate /*d*/ table /*e*/ items", { schema: "shop", name: "items" }],
  ["/*!40000 truncate table items */", { schema: "shop", name: "items" }],
  ["truncate table `table`", { schema: "shop", name: "table" }],
  ["truncate `table`", { schema: "shop", name: "table" }],
  ["/*M!100100 truncate table items */", { schema: "shop", name: "items" }],
  ["set statement max_statement_time=5 for truncate table items", { schema: "shop", name: "items" }],
  ['truncate "items"', { schema: "shop", name: "items" }],
])("%s empties a table", (sql, table) => {
  expect(meaningOf(sql, "shop")).toEqual({ kind: "truncate", table });
});

test.each([
  "insert into a values (1)",
  "/* x */ Replace a set b = 1",
  "with x as (select 1) delete from a",
  "load data infile 'x' into table a",
  "SET STATEMENT sort_buffer_size=100000 FOR insert into a values (1)",
  "alter table a truncate partition p1",
  "alter table a exchange partition p with table b",
])("%s changes rows", (sql) => expect(meaningOf(sql, "shop").kind).toBe("changes"));

test.each([
  "create table a (b int)",
  "alter table truncate add x int",
  "drop table a",
  "grant select on a to b",
  "",
  "/* truncate */",
])("%s is a definition", (sql) => expect(meaningOf(sql, "shop").kind).toBe("definition"));

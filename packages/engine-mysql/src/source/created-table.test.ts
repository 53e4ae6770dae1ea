import { expect, test } from "vitest";
import { createdTable, tells } from "./created-table.ts";

const of = (sql: string): ReturnType<typeof createdTable> => createdTable({ schema: "shop", sql });

test("the columns of a plain statement, with the types that the log does not tell", () => {
  const created = of(
    `create table items (id int primary key, \`u\` uuid not null default uuid(), a inet4, "b" INET6 null,
       v vector(3), raw varbinary(16) default '(a, b uuid)', g int generated always as (cast(id as char)) stored,
       \`KEY\` char(3) charset binary, n decimal(10, 2) check (n > (1)), key uuid (u), primary key (id)) engine = InnoDB`,
  );
  expect(created).toEqual({
    table: { schema: "shop", name: "items" },
    hidden: new Map([
      ["u", "uuid"],
      ["a", "inet4"],
      ["b", "inet6"],
      ["v", "vector(3)"],
    ]),
    generated: new Set(["g"]),
    plain: new Set(["raw", "KEY"]),
  });
});

test.each([
  ["create or replace table `audit` . `items` (id int)", { schema: "audit", name: "items" }],
  ["CREATE TABLE `it``ems` (\n  `id` int(11) NOT NULL\n)", { schema: "shop", name: "it`ems" }],
])("%s: which table it is", (sql, table) => {
  expect(of(sql)?.table).toEqual(table);
});

test.each([
  "create table if not exists items (id int)",
  "create table items like others",
  "create table items (like others)",
  "create table items select 1 as id",
  "create temporary table items (id int)",
  "create table items (id int /*! , u uuid */)",
  "create table items (id int) -- as it was",
  "create table items (t text comment 'it\\', u uuid, x text comment ''')",
  "create table items (id int, s timestamp(6) generated always as row start)",
  "create table items (id int",
  "create view items as select 1",
  "alter table items add u uuid",
  "set statement sql_mode = '' for create table items (id int)",
])("%s: it says nothing that is certain", (sql) => {
  expect(of(sql)).toBeNull();
});

test("a column whose type is said in another way than is known is not told of", () => {
  const created = of(
    "create table items (u uuid, b binary(16), r raw(16), c character(3) charset binary, v vector)",
  );
  if (created === null) throw new Error("it is a plain statement");
  expect(["u", "b", "r", "c", "v", "other"].map((column) => tells(created, [column]))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(tells(created, [])).toBe(true);
});

import { expect, test } from "vitest";
import type { CommonColumn, CommonTable } from "@lockstep/core";
import { indexName, MAX_NAME_BYTES } from "./common-names.ts";
import { convertTable } from "./from-common.ts";

const column = (name: string, more: Partial<CommonColumn> = {}): CommonColumn => ({
  name,
  type: "int32",
  nativeType: "int",
  maxLength: null,
  precision: null,
  scale: null,
  labels: null,
  isNullable: true,
  collation: null,
  definition: "int",
  isIdentity: false,
  default: null,
  ...more,
});
const table = (more: Partial<CommonTable> = {}): CommonTable => ({
  schema: "shop",
  name: "goods",
  columns: [column("id")],
  primaryKey: ["id"],
  uniques: [],
  indexes: [],
  foreignKeys: [],
  collations: [],
  leftOut: [],
  ...more,
});
const PLACE = { order: 1, needs: [0] };
const converted = (of: CommonTable, ...others: CommonTable[]): ReturnType<typeof convertTable> =>
  convertTable(of, [of, ...others], PLACE);

test("an index has a name of its own within the schema, however long, and always the same", () => {
  const names = [
    indexName("a", "b_c"),
    indexName("a_b", "c"),
    indexName("x".repeat(63), "y"),
    indexName("x".repeat(63), "z"),
    indexName("é".repeat(40), "😀".repeat(20)),
  ];
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) {
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(MAX_NAME_BYTES);
    expect(name).not.toContain("\uFFFD");
  }
  expect(indexName("a", "b_c")).toBe(indexName("a", "b_c"));
});

test("numbers that go on by themselves: identity where the type can, else a sequence", () => {
  const { table: made, numbered } = converted(
    table({
      columns: [column("id", { isIdentity: true, type: "uint64" }), column("n", { isIdentity: true })],
    }),
  );
  expect(made.columns.map(({ type, value }) => [type, value.kind])).toEqual([
    ["numeric(20,0)", "default"],
    ["integer", "identity"],
  ]);
  expect(made.sequences).toMatchObject([{ schema: "shop", column: "id" }]);
  expect(numbered).toEqual(["id", "n"]);
  const float = converted(table({ columns: [column("id", { isIdentity: true, type: "float64" })] }));
  expect([float.numbered, float.leftOut.length]).toEqual([[], 1]);
});

test("a default that the type does not hold is left out by name", () => {
  const value = (text: string): CommonColumn["default"] => ({ kind: "value", text });
  const { table: made, leftOut } = converted(
    table({
      columns: [
        column("day", { type: "date", default: value("0000-00-00") }),
        column("at", { type: "timestamp", scale: 0, default: { kind: "now" } }),
        column("word", { type: "string", maxLength: 9, default: value("it's \\ ok") }),
        column("late", { type: "time", scale: 2, default: value("-838:59:59.00") }),
        column("flags", { type: "bits", maxLength: 3, default: value("101") }),
      ],
    }),
  );
  expect(made.columns.map(({ value: of }) => (of.kind === "default" ? of.expression : of.kind))).toEqual([
    "null",
    "now()",
    " E'it''s \\\\ ok'::varchar(9)",
    "'-838:59:59.00'::interval(2)",
    "'101'::bit(3)",
  ]);
  expect(leftOut).toEqual(["column day default '0000-00-00', which date does not hold"]);
});

test("an index that a long value would break is left out, a key is not; and a foreign key to no key", () => {
  const long = column("word", { type: "string", maxLength: 768 });
  const key = {
    name: "f",
    columns: ["word"],
    references: { schema: "shop", name: "words" },
    referencedColumns: ["word"],
    onDelete: "cascade",
    onUpdate: "no action",
  } as const;
  const words = table({ name: "words", columns: [long], primaryKey: null });
  const goods = table({
    columns: [column("id"), long],
    uniques: [{ name: "u", columns: ["word"], descending: [] }],
    indexes: [
      { name: "i", columns: ["word"], descending: [] },
      { name: "j", columns: ["id"], descending: [] },
    ],
    foreignKeys: [key],
  });
  const without = converted(goods, words);
  expect(without.table.indexes).toHaveLength(1);
  expect(without.table.constraints.map(({ kind }) => kind)).toEqual(["primary", "unique"]);
  expect(without.leftOut).toEqual([
    'index i ("word"): values may be longer than an index takes',
    'foreign key f: no key of shop.words is on ("word")',
  ]);
  const named = { ...goods, foreignKeys: [{ ...key, columns: ["Word"], referencedColumns: ["WORD"] }] };
  const known = converted(named, { ...words, primaryKey: ["word"] });
  expect(known.table.constraints.at(-1)).toMatchObject({
    name: "f",
    kind: "foreign",
    definition: expect.stringContaining('foreign key ("word") references "shop"."words" ("word")'),
  });
});

test.each([
  ["a name that would be cut", table({ name: "x".repeat(64) })],
  ["a column's, in bytes", table({ columns: [column("é".repeat(32))] })],
  ["a column that every table has", table({ columns: [column("xmin")] })],
  [
    "more columns than a table takes",
    table({ columns: Array.from({ length: 1_601 }, (_, at) => column(`c${at}`)) }),
  ],
  ["a schema of the server's own", table({ schema: "pg_shop" })],
])("%s: refused", (_, refused) => {
  expect(converted(refused).refused).not.toBeNull();
  expect(converted(table()).refused).toBeNull();
});

import { Readable } from "node:stream";
import { expect, test } from "vitest";
import {
  position,
  type CommonTable,
  type CopyMark,
  type ExistingRows,
  type Row,
  type SchemaDefinition,
  type SnapshotTable,
} from "@lockstep/core";
import { execute, freshDatabase, silentLogger, uniqueName } from "@lockstep/testkit";
import { insert, tableOf } from "./other-engine.fixture.ts";
import { never, progressAt, windowOf } from "./replica.fixture.ts";
import { createPostgresSink } from "./sink.ts";

/* A primary of another engine: its tables in common words, its rows as JSON. */

const WIDE = {
  maxLength: null,
  precision: null,
  scale: null,
  labels: null,
  isNullable: true,
  collation: null,
  definition: "int",
  isIdentity: false,
  default: null,
};
const GOODS: CommonTable = {
  schema: "shop",
  name: "goods",
  columns: [
    {
      ...WIDE,
      name: "id",
      type: "uint64",
      nativeType: "bigint unsigned",
      isNullable: false,
      isIdentity: true,
    },
    { ...WIDE, name: "n", type: "int32", nativeType: "int", isIdentity: true },
    { ...WIDE, name: "word", type: "string", nativeType: "varchar(9)", maxLength: 9 },
    { ...WIDE, name: "day", type: "date", nativeType: "date" },
  ],
  primaryKey: ["id"],
  uniques: [{ name: "word", columns: ["word", "n"], descending: ["n"] }],
  indexes: [{ name: "n", columns: ["day", "n"], descending: ["day"] }],
  foreignKeys: [
    {
      name: "self",
      columns: ["n"],
      references: { schema: "shop", name: "goods" },
      referencedColumns: ["n"],
      onDelete: "cascade",
      onUpdate: "no action",
    },
  ],
  collations: [],
  leftOut: [],
};
const SHOP: SchemaDefinition = { dialect: "mysql", common: [GOODS] };
const COPIED: SnapshotTable = {
  table: {
    ...tableOf(),
    schema: "shop",
    columns: GOODS.columns.map((of) => ({ ...of, isKey: of.name === "id" })),
  },
  formats: ["json-rows"],
  ranges: [],
  rows: 0,
  bytes: 0,
};
const MARK: CopyMark = { view: { through: position("0/9"), text: "9:9:" }, start: progressAt(0) };

/** In chunks of seven bytes. */
function jsonLines(rows: readonly Row[]): () => Readable {
  const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
    bytes.subarray(at * 7, at * 7 + 7),
  );
  return () => Readable.from(chunks);
}

async function copied(
  url: string,
  parts: readonly (readonly Row[])[],
  {
    schema = SHOP,
    existing = "refuse",
  }: { readonly schema?: SchemaDefinition; readonly existing?: ExistingRows } = {},
): Promise<void> {
  const sink = createPostgresSink({
    replica: "r",
    url,
    pipeline: uniqueName("copied"),
    dialect: "mysql",
    onConflict: { kind: "halt" },
    existing,
    logger: silentLogger,
  });
  await using session = await sink.claim("owner", true, never());
  await session.beginCopy(progressAt(0), [COPIED.table], never());
  await using target = await sink.openCopy("owner", never());
  await target.prepare(schema, [COPIED], never());
  const copy = await target.begin(COPIED, never());
  expect(copy.format).toBe("json-rows");
  await Promise.all(parts.map(async (rows) => await copy.write(jsonLines(rows))));
  await copy.finish(MARK, never());
  await session.endCopy(progressAt(0), never());
  await session.completeTables(schema, [COPIED.table], never());
  await session.apply(
    { ...windowOf([insert("77", "5", "late", null)], 1, { table: COPIED.table }) },
    never(),
  );
}

const ROWS: readonly Row[] = [
  ["18446744073709551615", "1", "a\tb\\N\n", "2024-02-29"],
  ["3", "2", "", null],
  ["4", "30", null, null],
];

test("a table is made from common words, copied from JSON, completed, and its numbers go on", async () => {
  const url = await freshDatabase(1);
  await copied(url, [[["9000000000000000000", "1", "a", null]], ROWS.slice(1), []]);
  await execute(url, "delete from shop.goods where id > 100; insert into shop.goods (word) values ('next')");
  expect(await execute(url, "select id::text, n, word, day::text from shop.goods order by goods.n")).toEqual([
    { id: "3", n: 2, word: "", day: null },
    { id: "77", n: 5, word: "late", day: null },
    { id: "4", n: 30, word: null, day: null },
    { id: "9000000000000000001", n: 31, word: "next", day: null },
  ]);
  const indexes = await execute<{ def: string }>(
    url,
    "select regexp_replace(indexdef, '_[0-9a-f]{8} ', ' ') as def from pg_indexes where schemaname = 'shop' order by 1",
  );
  expect(indexes.map(({ def }) => def)).toEqual([
    "CREATE INDEX goods_n ON shop.goods USING btree (day DESC, n)",
    "CREATE UNIQUE INDEX goods_pkey ON shop.goods USING btree (id)",
    "CREATE UNIQUE INDEX goods_word ON shop.goods USING btree (word, n DESC)",
  ]);
  expect(
    await execute(
      url,
      "select from pg_constraint where contype = 'f' and connamespace = 'shop'::regnamespace",
    ),
  ).toEqual([]);
});

test("rows that are there are kept or refused, as ever", async () => {
  const there = `create schema shop; create table shop.goods (id numeric primary key, n bigint, word text, day date);
    insert into shop.goods values (3, 0, 'mine', null), (9, 0, 'mine', null)`;
  const url = await freshDatabase(1);
  await execute(url, there);
  await expect(copied(url, [ROWS])).rejects.toMatchObject({ code: "table-not-empty" });
  await copied(url, [ROWS.slice(0, 2), ROWS.slice(2)], { existing: "keep" });
  expect(await execute(url, "select id::text, word from shop.goods order by goods.id")).toEqual([
    { id: "3", word: "" },
    { id: "4", word: null },
    { id: "9", word: "mine" },
    { id: "77", word: "late" },
    { id: "18446744073709551615", word: "a\tb\\N\n" },
  ]);
});

test("a row that a copy cannot keep is refused by table, key and column, and never shown (S1)", async () => {
  const url = await freshDatabase(1);
  const failure = await copied(url, [[...ROWS, ["5", "3", "x", "0000-00-00"]]]).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    code: "copy-refused",
    message:
      "replica r refuses a row of shop.goods, key id=5: column day: a date with a year, month or day of zero",
  });
  await expect(copied(await freshDatabase(1), [[["5", "3", "x"]]])).rejects.toMatchObject({
    code: "protocol-violation",
  });
});

test("a table that cannot be made here is refused by name", async () => {
  const columns = GOODS.columns.map((of) => (of.name === "word" ? { ...of, name: "xmin" } : of));
  const schema = { ...SHOP, common: [{ ...GOODS, columns }] };
  await expect(copied(await freshDatabase(1), [], { schema })).rejects.toMatchObject({
    code: "schema-mismatch",
    message:
      "table shop.goods cannot be made on replica r: PostgreSQL has a column xmin of its own in every table",
  });
});

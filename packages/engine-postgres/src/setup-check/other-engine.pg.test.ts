import { expect, test } from "vitest";
import type { CommonColumn, CommonTable, PrimaryReport } from "@lockstep/core";
import { execute, freshDatabase } from "@lockstep/testkit";
import { checkReplica } from "./check.fixture.ts";

/* What a check says of tables of a primary of another engine, before any data moves. */

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

const tableOf = (name: string, more: Partial<CommonTable> = {}): CommonTable => ({
  schema: "public",
  name,
  columns: [column("id"), column("word", { type: "string", nativeType: "varchar(9)", maxLength: 9 })],
  primaryKey: ["id"],
  uniques: [],
  indexes: [],
  foreignKeys: [],
  collations: [],
  leftOut: [],
  ...more,
});

const report = (common: readonly CommonTable[], key = "id"): PrimaryReport => ({
  findings: [],
  database: { text: "elsewhere", encoding: "utf8mb4" },
  hasBegun: false,
  tables: common.map(({ schema, name, columns }, id) => ({
    id,
    schema,
    name,
    columns: columns.map((of) => ({ ...of, isKey: of.name === key })),
  })),
  common,
  hidden: [],
});

test("an enum that lacks labels is refused, and that one may halt at what is no label is said", async () => {
  const url = await freshDatabase(1);
  await execute(url, "create type kinds as enum ('b'); create table items (id int primary key, kind kinds)");
  const kind = column("kind", {
    type: "enum",
    nativeType: "enum('a','it''s','b')",
    labels: ["a", "it's", "b"],
  });
  const primary = report([tableOf("items", { columns: [column("id"), kind] })]);
  const { findings } = await checkReplica(url, primary, { dialect: "mysql" });
  const lacks = "column kind lacks labels that the primary's has: 'a', 'it''s'";
  expect(findings).toMatchObject([
    { code: "schema-mismatch", what: expect.stringContaining(lacks) as unknown },
    {
      code: "left-out",
      what: expect.stringContaining("halts where public.items has in kind: ''") as unknown,
    },
  ]);
  for (const statement of findings[0]?.fix?.replace("run there: ", "").split("; ") ?? [])
    await execute(url, statement);
  const mended = await checkReplica(url, primary, { dialect: "mysql" });
  expect(mended.findings).toMatchObject([{ code: "left-out" }]);
  await execute(url, "alter table items alter column kind type text");
  expect((await checkReplica(url, primary, { dialect: "mysql" })).findings).toEqual([]);
});

test("what a table becomes, what is left out of it, and why one cannot be made", async () => {
  const url = await freshDatabase(1);
  const day = column("day", { type: "date", default: { kind: "value", text: "0000-00-00" } });
  const primary = report([
    tableOf("plain"),
    tableOf("partly", { columns: [column("id"), day], leftOut: ["check (id > 0)"] }),
    tableOf("never", { columns: [column("id"), column("ctid")] }),
    tableOf("keyless", { primaryKey: null, leftOut: ["primary key (word(3))"] }),
  ]);
  const { findings, arrivals } = await checkReplica(url, primary, { dialect: "mysql" });
  expect(findings.filter(({ level }) => level !== "info")).toEqual([
    {
      level: "warning",
      code: "left-out",
      what: "of table public.partly replica eu gets its columns, keys, indexes and foreign keys, but not: check (id > 0); column day default '0000-00-00', which date does not hold",
      fix: expect.any(String),
    },
    expect.objectContaining({
      level: "error",
      code: "schema-mismatch",
      what: "table public.never cannot be made on replica eu: PostgreSQL has a column ctid of its own in every table",
    }),
    expect.objectContaining({
      level: "error",
      code: "schema-mismatch",
      what: "table public.keyless cannot be made on replica eu: its key (id) is more than columns",
    }),
  ]);
  expect(arrivals.get('["public","plain"]')).toEqual({
    kind: "to-create",
    columns: new Map([
      ["id", "integer"],
      ["word", "varchar(9)"],
    ]),
  });
});

test("tables that are there are judged by what their columns mean", async () => {
  const url = await freshDatabase(1);
  await execute(
    url,
    `create table plain (id bigint primary key, word text);
     create table other (id smallint primary key, word char(9));
     create table made (id int primary key, word text generated always as ('made') stored)`,
  );
  const primary = report([tableOf("plain"), tableOf("other"), tableOf("made")]);
  const { findings, arrivals } = await checkReplica(url, primary, { dialect: "mysql" });
  expect(findings.filter(({ level }) => level !== "info")).toEqual([
    expect.objectContaining({
      code: "schema-mismatch",
      what: "table public.other on replica eu: column id is smallint, which does not take every int of the primary as it is; column word is character(9), which does not take every varchar(9) of the primary as it is",
      fix: expect.stringMatching(/integer, bigint.*; run there: .*"word" type …/),
    }),
    expect.objectContaining({
      what: "table public.made on replica eu: column word is generated there, and the primary sends its values",
      fix: expect.stringContaining("drop expression"),
    }),
  ]);
  const there = [...arrivals.values()].map((of) => (of.kind === "there" ? [...of.unfit] : of.kind));
  expect(there).toEqual([[], ["id", "word"], []]);
});

test("values that halt the replica, and collations that it loses, are said once for all tables", async () => {
  const url = await freshDatabase(1);
  await execute(
    url,
    `create table there (id int primary key, day text, at timestamp, word text, doc jsonb, more json);
     create table made (id int primary key)`,
  );
  const text = column("word", { type: "string", nativeType: "varchar(9)", maxLength: 9, collation: "a_ci" });
  const columns = [
    column("id"),
    column("day", { type: "date", nativeType: "date" }),
    column("at", { type: "timestamp", nativeType: "datetime", scale: 0 }),
    text,
  ];
  const [doc, more] = ["doc", "more"].map((name) => column(name, { type: "json", nativeType: "json" }));
  const collations = [{ collation: "a_ci", columns: ["word"] }];
  const kind = column("kind", { type: "enum", nativeType: "enum('a')", labels: ["", "a"] });
  const address = column("address", { type: "string", nativeType: "inet6" });
  const primary = report([
    tableOf("new", { columns: [...columns, kind, address], collations }),
    tableOf("other", { columns: [column("id"), text], collations }),
    tableOf("there", { columns: [...columns, ...(doc && more ? [doc, more] : [])], collations }),
    tableOf("made", { columns: [column("id"), column("late", { type: "date", nativeType: "date" })] }),
  ]);
  const { findings } = await checkReplica(url, primary, { dialect: "mysql" });
  expect(findings[0]).toMatchObject({ code: "schema-mismatch", fix: expect.stringContaining('"late" date') });
  expect(
    findings.slice(1).map(({ level, code, what }) => [level, code, what.replace(/^replica eu /, "")]),
  ).toEqual([
    [
      "warning",
      "left-out",
      "tells texts apart that the primary takes for equal, in case or accents for instance: collation a_ci of public.new (word), public.other (word)",
    ],
    [
      "info",
      "left-out",
      "halts at a date with a year, month or day of zero, which PostgreSQL does not have and these may hold: public.new (day, at), public.there (at), public.made (late)",
    ],
    [
      "info",
      "left-out",
      "halts at a text that holds the character U+0000, which PostgreSQL does not have and these may hold: public.new (word), public.other (word), public.there (word)",
    ],
    [
      "info",
      "left-out",
      "halts at a document that holds -0 or the character U+0000, which PostgreSQL does not have and these may hold: public.there (doc)",
    ],
  ]);
  const plain = await checkReplica(url, report([tableOf("made", { columns: [column("id")] })]), {
    dialect: "mysql",
  });
  expect(plain.findings).toEqual([]);
});

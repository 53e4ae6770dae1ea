import { expect, test } from "vitest";
import type { CommonTable } from "@lockstep/core";
import { execute, freshDatabase, uniqueName } from "@lockstep/testkit";
import { createPrimaryCheck } from "../setup-check/primary-check.ts";
import { never, sourceOf } from "../source/source.fixture.ts";
import { withClient } from "./carried.fixture.ts";
import { readCarriedSchema } from "./carried-schema.ts";

/* What other engines are told of a table. */

const SHOP = `
  create type mood as enum ('sad', 'it''s ok');
  create domain positive as int check (value > 0);
  create collation lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create sequence shared;
  create table owners (id serial primary key, code char(3) not null default 'x', unique (code));
  create table goods (
    id bigint generated always as identity (increment by 10) primary key,
    owner int references owners on delete cascade on update set null,
    code varchar(3) default 'x' references owners (code) deferrable,
    price numeric(10,2) not null default 1.5, total numeric(5,-2), free numeric,
    how mood default 'it''s ok', flags bit(3) default b'101', more bit varying(9), raw bytea,
    at timestamptz(3) not null default now(), day date default '2024-02-29', span interval(2), clock time,
    doc jsonb default '{}', list int[] default '{1,2}', age positive default 7, num int default nextval('shared'),
    soft text collate lax, picked text default lower('A'), doubled int generated always as (id * 2) stored,
    constraint dear check (price > 0), unique nulls not distinct (price), unique (raw) deferrable);
  create unique index goods_two on goods (owner desc, code) include (raw);
  create index goods_how on goods using hash (how);
  create index goods_some on goods (price) where price > 1;
  create index goods_lower on goods (lower(code));
  create index goods_list on goods using gin (list);
  create index goods_soft on goods (soft);
  create index goods_doubled on goods (doubled);
  create table parted (id int, at date, primary key (id, at)) partition by range (at);
  create table parted_all partition of parted default;
  create table bare (a int);
  alter table bare replica identity full;`;

const DEFAULTS = { maxLength: null, precision: null, scale: null, labels: null, isNullable: true };
const PLAIN = {
  ...DEFAULTS,
  isIdentity: false,
  collation: null,
  definition: expect.any(String) as unknown,
  default: null,
};
const value = (text: string): { kind: string; text: string } => ({ kind: "value", text });

async function commonOf(url: string): Promise<readonly CommonTable[]> {
  const names = ["owners", "goods", "parted", "bare"].map((name) => ({ schema: "public", name }));
  const { common } = await withClient(url, async (client) => await readCarriedSchema(client, names));
  return common;
}

test("columns, keys, indexes and foreign keys, and in the server's words whatever else there is", async () => {
  const url = await freshDatabase(0);
  await execute(url, SHOP);
  const [owners, goods, parted, bare] = await commonOf(url);
  expect(owners).toMatchObject({
    primaryKey: ["id"],
    uniques: [{ name: "owners_code_key", columns: ["code"], descending: [] }],
    columns: [
      { name: "id", type: "int32", isIdentity: true, isNullable: false, default: null },
      { name: "code", type: "string", nativeType: "character(3)", maxLength: 3, default: value("x  ") },
    ],
    leftOut: [],
  });
  expect(goods?.columns).toEqual([
    { ...PLAIN, name: "id", type: "int64", nativeType: "bigint", isNullable: false, isIdentity: true },
    { ...PLAIN, name: "owner", type: "int32", nativeType: "integer" },
    {
      ...PLAIN,
      name: "code",
      type: "string",
      nativeType: "character varying(3)",
      maxLength: 3,
      default: value("x"),
    },
    {
      ...PLAIN,
      name: "price",
      type: "decimal",
      nativeType: "numeric(10,2)",
      precision: 10,
      scale: 2,
      isNullable: false,
      default: value("1.5"),
    },
    { ...PLAIN, name: "total", type: "decimal", nativeType: "numeric(5,-2)", precision: 5, scale: -2 },
    { ...PLAIN, name: "free", type: "decimal", nativeType: "numeric" },
    {
      ...PLAIN,
      name: "how",
      type: "enum",
      nativeType: "public.mood",
      labels: ["sad", "it's ok"],
      default: value("it's ok"),
    },
    { ...PLAIN, name: "flags", type: "bits", nativeType: "bit(3)", maxLength: 3, default: value("101") },
    { ...PLAIN, name: "more", type: "bits", nativeType: "bit varying(9)", maxLength: 9 },
    { ...PLAIN, name: "raw", type: "bytes", nativeType: "bytea" },
    {
      ...PLAIN,
      name: "at",
      type: "timestamptz",
      nativeType: "timestamp(3) with time zone",
      scale: 3,
      isNullable: false,
      default: { kind: "now" },
    },
    { ...PLAIN, name: "day", type: "date", nativeType: "date", default: value("2024-02-29") },
    { ...PLAIN, name: "span", type: "interval", nativeType: "interval(2)", scale: 2 },
    { ...PLAIN, name: "clock", type: "time", nativeType: "time without time zone", scale: 6 },
    { ...PLAIN, name: "doc", type: "json", nativeType: "jsonb", default: value("{}") },
    { ...PLAIN, name: "list", type: "array", nativeType: "integer[]", default: value("{1,2}") },
    { ...PLAIN, name: "age", type: "other", nativeType: "public.positive" },
    { ...PLAIN, name: "num", type: "int32", nativeType: "integer" },
    { ...PLAIN, name: "soft", type: "string", nativeType: "text", collation: "public.lax" },
    { ...PLAIN, name: "picked", type: "string", nativeType: "text" },
  ]);
  expect(goods).toMatchObject({
    primaryKey: ["id"],
    uniques: [{ name: "goods_two", columns: ["owner", "code"], descending: ["owner"] }],
    indexes: [{ name: "goods_how", columns: ["how"], descending: [] }],
    foreignKeys: [
      {
        name: "goods_code_fkey",
        columns: ["code"],
        references: { schema: "public", name: "owners" },
        referencedColumns: ["code"],
        onDelete: "no action",
        onUpdate: "no action",
      },
      { columns: ["owner"], referencedColumns: ["id"], onDelete: "cascade", onUpdate: "set null" },
    ],
  });
  expect(goods?.collations).toEqual([{ collation: "public.lax", columns: ["soft"] }]);
  expect(owners?.collations).toEqual([]);
  expect(goods?.leftOut).toEqual([
    "column id: increment by 10",
    "column age default 7",
    "column num default nextval('public.shared'::regclass)",
    "column picked default lower('A'::text)",
    "column doubled integer generated always as ((id * 2))",
    "CREATE INDEX goods_doubled ON public.goods USING btree (doubled)",
    "CREATE INDEX goods_list ON public.goods USING gin (list)",
    "CREATE INDEX goods_lower ON public.goods USING btree (lower((code)::text))",
    "constraint goods_price_key UNIQUE NULLS NOT DISTINCT (price)",
    "constraint goods_raw_key UNIQUE (raw) DEFERRABLE",
    "CREATE INDEX goods_soft ON public.goods USING btree (soft)",
    "CREATE INDEX goods_some ON public.goods USING btree (price) WHERE (price > (1)::numeric)",
    "constraint goods_code_fkey: deferrable",
    "constraint dear CHECK ((price > (0)::numeric))",
  ]);
  expect(parted).toMatchObject({ primaryKey: ["id", "at"], leftOut: ["partition by RANGE (at)"] });
  expect(bare).toMatchObject({ primaryKey: null, uniques: [], indexes: [], foreignKeys: [], leftOut: [] });
});

test("a snapshot and the check say the same, and types are those of the stream", async () => {
  const url = await freshDatabase(0);
  await execute(url, SHOP);
  const expected = await commonOf(url);
  const pipeline = uniqueName("common");
  const check = createPrimaryCheck({
    url,
    folder: ".",
    pipeline,
    tables: { include: ["public.*"], exclude: [] },
  });
  const { common, tables } = await check.check(never());
  const byName = (of: readonly CommonTable[]): CommonTable[] =>
    of.toSorted((left, right) => left.name.localeCompare(right.name));
  expect(byName(common)).toEqual(byName(expected));
  for (const { name, columns } of tables) {
    const same = common.find((table) => table.name === name)?.columns ?? [];
    expect(same.map((column) => [column.name, column.type, column.nativeType])).toEqual(
      columns.map((column) => [column.name, column.type, column.nativeType]),
    );
  }
  const source = sourceOf(url, pipeline);
  await using session = await source.acquire({ reached: null }, never());
  await using snapshot = await source.openSnapshot(
    session.tables,
    { rangeBytes: 1024 * 1024, waitsForAll: false },
    never(),
  );
  expect(byName(snapshot.schema.common)).toEqual(byName(expected));
});

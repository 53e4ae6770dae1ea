import { describe, expect, test } from "vitest";
import { offset, position, tableKey, type CommonTable, type PrimaryReport, type Table } from "@lockstep/core";
import {
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  startMysql,
  uniqueName,
} from "@lockstep/testkit";
import { createMysqlSink } from "../sink/sink.ts";
import { checkReplica, databaseOf, errors } from "./check.fixture.ts";

/* Names that PostgreSQL has, and a server takes otherwise or not at all. */

const never = (): AbortSignal => new AbortController().signal;

function tableOf(schema: string, name: string): Table {
  return {
    id: 0,
    schema,
    name,
    columns: [{ name: "id", type: "int32", nativeType: "integer", isKey: true }],
  };
}

function commonOf({ schema, name }: Table): CommonTable {
  const column = { type: "int32", nativeType: "integer", maxLength: null, precision: null } as const;
  const id = {
    ...column,
    name: "id",
    scale: null,
    labels: null,
    collation: null,
    definition: "int",
    isNullable: false,
    isIdentity: false,
  };
  return {
    schema,
    name,
    columns: [{ ...id, default: null }],
    primaryKey: ["id"],
    uniques: [],
    indexes: [],
    foreignKeys: [],
    collations: [],
    leftOut: [],
  };
}

function reportOf(tables: readonly Table[]): PrimaryReport {
  return { findings: [], database: null, hasBegun: false, tables, common: tables.map(commonOf), hidden: [] };
}

test("tables of one name but for its case are refused where the server ignores it, and none has the other's rows", async () => {
  await using server = await startMysql("mariadb", { settings: { "lower-case-table-names": "1" } });
  await server.query("create database shop");
  const [upper, lower, other] = [tableOf("shop", "Orders"), tableOf("shop", "orders"), tableOf("shop", "x")];
  const report = await checkReplica(server.url("shop"), reportOf([upper, lower, other]));
  const one = expect.stringContaining("tables shop.Orders, shop.orders are one on replica eu");
  expect(errors(report)).toMatchObject([{ code: "schema-mismatch", what: one }]);
  expect(errors(await checkReplica(server.url("shop"), reportOf([upper, other])))).toEqual([]);
  // One that is there already is known by whatever name, and what our user may do with it, too.
  await server.query(
    `create table shop.ORDERS (id int primary key, Total int not null); insert into shop.orders values (1, 2);
     create trigger shop.doubled after insert on shop.oRders for each row set @x = 1;
     create user ours@'%' identified by 'pw'; grant select, insert, update, delete on shop.ordeRS to ours@'%';
     grant all on lockstep.* to ours@'%'`,
  );
  const ours = Object.assign(new URL(server.url("shop")), {
    username: "ours",
    password: "pw",
    pathname: "",
  }).href;
  const there = await checkReplica(ours, reportOf([upper]));
  expect(there.findings.filter(({ level }) => level !== "info").map(({ code }) => code)).toEqual([
    "trigger-fires",
    "schema-mismatch",
  ]);
  expect(there.arrivals.get(tableKey(upper))?.columns.get("id")).toMatch(/^int/);
  await server.query("drop table shop.orders");
  const sink = createMysqlSink({
    replica: "eu",
    url: server.url("shop"),
    pipeline: uniqueName("names"),
    onConflict: { kind: "halt" },
    existing: "refuse",
    logger: silentLogger,
  });
  await using session = await sink.claim("owner", true, never());
  const progress = {
    epoch: { number: 1, id: "first" },
    position: position("1"),
    offset: offset(1),
    open: offset(0),
    run: "run",
  };
  const refused = { code: "schema-mismatch", message: one };
  await expect(session.beginCopy(progress, [upper, lower], never())).rejects.toMatchObject(refused);
  await session.beginCopy(progress, [upper, other], never());
  await expect(session.addTables([lower], never())).rejects.toMatchObject(refused);
  await session.addTables([upper, tableOf("shop", "y")], never());
  expect(session.tables.map(({ name }) => name)).toEqual(["Orders", "x", "y"]);
});

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  test("a name that it cannot have is refused by name", async () => {
    const url = await freshMysqlDatabase(flavour);
    const primary = reportOf([tableOf(databaseOf(url), "em😀ji")]);
    const report = await checkReplica(url, primary, { dialect: "postgres" });
    const what = expect.stringContaining('"em😀ji" cannot be a name there');
    expect(errors(report)).toMatchObject([{ code: "schema-mismatch", what }]);
  });

  test("a key of as many columns as there may be, with names as long as they may be, is found", async () => {
    const url = await freshMysqlDatabase(flavour);
    const names = Array.from({ length: 16 }, (_, index) => String(index).padStart(64, "c"));
    await queryMysql(
      url,
      `create table t (${names.map((name) => `${name} int`).join(", ")}, primary key (${names.join(", ")}))`,
    );
    const table = tableOf(databaseOf(url), "t");
    const [column] = table.columns;
    const columns = names.flatMap((name) => (column === undefined ? [] : [{ ...column, name }]));
    expect(errors(await checkReplica(url, reportOf([{ ...table, columns }])))).toEqual([]);
    const others = [...columns, { name: "d", type: "int32", nativeType: "int", isKey: true } as const];
    await queryMysql(url, "alter table t add column d int");
    const [mismatch] = errors(await checkReplica(url, reportOf([{ ...table, columns: others }])));
    expect(mismatch?.what).toContain("its primary key is another");
  });
});

import { describe, expect, test } from "vitest";
import { freshMysqlDatabase, startMysql, uniqueName, type MysqlRelease } from "@lockstep/testkit";
import { createGate } from "../gate/gate.ts";
import { followOn, never, rowsOf, run, sourceOf, startOf } from "./source.fixture.ts";

/* Columns of MariaDB that were generated when a row was logged, and are not any more, or the other way round. */

const HALTS = { code: "table-not-supported", message: expect.stringContaining("rows of ") as unknown };
const GENERATED = "id int primary key, n int, note text, g int as (n * 2) stored";
/** It says nothing certain of the table that is there afterwards. */
const UNTOLD = "create table if not exists items";

/** Statements that ran while nobody read; the last ones changed what the rows before them were of. */
async function rowsBefore(...statements: readonly string[]): Promise<ReturnType<typeof rowsOf>> {
  const url = await freshMysqlDatabase("mariadb");
  await run(url, `${UNTOLD} (${GENERATED})`, "create table last (id int primary key)");
  const source = sourceOf(url);
  const start = await startOf(source);
  const changes = statements.filter((sql) => /^(?:insert|update|replace)/.test(sql)).length;
  await run(url, ...statements, "insert into last values (1)");
  await using following = await followOn(source, start, changes + 1);
  return rowsOf(following).slice(0, -1);
}

const INSERT = "insert into items (id, n, note) values (1, 1, 'x')";
const UPDATE = "update items set n = 2";

test.each([
  ["alter table items drop g"],
  ["alter table items modify g int"],
  ["alter table items rename column g to h"],
  ["drop table items"],
  ["rename table items to others"],
  ["drop table items", `${UNTOLD} (id int primary key, n int, note text, g int)`],
])("an update from before %s does not carry what was generated then: it ends by name", async (...behind) => {
  await expect(rowsBefore(INSERT, UPDATE, ...behind)).rejects.toMatchObject(HALTS);
});

test("a row that replaced another one does not carry it either", async () => {
  const text = "alter table items drop g, add g text as (concat(note, n)) stored";
  const replace = "replace into items (id, n, note) values (1, 2, 'y')";
  await expect(rowsBefore(text, INSERT, replace, "alter table items drop g")).rejects.toMatchObject(HALTS);
});

test("nor does one that is gone, of a table without a key", async () => {
  const keyless = "alter table items drop primary key";
  const rows = rowsBefore(keyless, INSERT, "delete from items", "alter table items drop g");
  await expect(rows).rejects.toMatchObject(HALTS);
});

describe("rows go on where what was generated", () => {
  test("is so still, whatever else a statement does with it", async () => {
    const rows = await rowsBefore(INSERT, UPDATE, "alter table items add index (g), drop note");
    expect(rows).toEqual([
      ["int int text", ["1", "1", "x"]],
      ["int int text", ["1", "2", "x"]],
    ]);
  });

  test("is another column than the one that is dropped", async () => {
    const plain = "alter table items drop g";
    const rows = await rowsBefore(plain, INSERT, UPDATE, "alter table items drop n, drop note");
    expect(rows).toEqual([
      ["int int text", ["1", "1", "x"]],
      ["int int text", ["1", "2", "x"]],
    ]);
  });

  test("was an ordinary column then, or none", async () => {
    const plain = "alter table items drop g, add h int";
    const rows = await rowsBefore(
      plain,
      INSERT,
      "update items set h = 5",
      "alter table items modify h int as (n * 2) stored, add g int as (h + n) virtual",
    );
    expect(rows).toEqual([
      ["int int text int", ["1", "1", "x", null]],
      ["int int text int", ["1", "1", "x", "5"]],
    ]);
  });

  test("has given its name to it", async () => {
    const rows = await rowsBefore(
      "alter table items drop g, add h int",
      INSERT,
      "update items set h = 5",
      "alter table items drop h, add g int as (n * 2) stored",
      "alter table items rename column g to h",
    );
    expect(rows.at(-1)).toEqual(["int int text int", ["1", "1", "x", "5"]]);
  });

  test("was told of by the statement that made the table", async () => {
    const rows = await rowsBefore(
      "drop table items",
      `create table items (${GENERATED})`,
      INSERT,
      UPDATE,
      "alter table items drop g",
    );
    expect(rows).toEqual([
      ["int int text", ["1", "1", "x"]],
      ["int int text", ["1", "2", "x"]],
    ]);
  });
});

test("where commits wait at the gate, what ends the run says that they wait on, and for what", async () => {
  await using server = await startMysql("mariadb");
  await server.query("create database shop");
  const url = server.url("shop");
  await run(url, `${UNTOLD} (${GENERATED})`);
  const pipeline = uniqueName("gated");
  const source = sourceOf(url, pipeline);
  const start = await startOf(source);
  await createGate({ name: "main", url, pipeline, degradeAfterMs: null }).on(never());
  await run(url, INSERT, UPDATE, "alter table items drop g");
  await expect(followOn(source, start, 2)).rejects.toMatchObject({
    ...HALTS,
    fix: expect.stringContaining("lockstep gate off lets them go") as unknown,
  });
});

test("the log of MariaDB 10.11 carries what was generated, as it was", async () => {
  const release: MysqlRelease = "mariadb-10.11";
  await using server = await startMysql(release);
  await server.query("create database shop");
  await run(server.url("shop"), `${UNTOLD} (${GENERATED})`);
  const source = sourceOf(server.url("shop"));
  const start = await startOf(source);
  await run(server.url("shop"), INSERT, UPDATE, "alter table items drop g");
  await using following = await followOn(source, start, 2);
  expect(rowsOf(following).map(([, cells]) => cells)).toEqual([
    ["1", "1", "x", "2"],
    ["1", "2", "x", "4"],
  ]);
});

import { describe, expect, test } from "vitest";
import { includes, type ClientDatabase, type Position } from "@lockstep/core";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql, startMysql } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { parsed } from "../parsed-position.ts";
import { comparePositions } from "../position.ts";
import { readPrimaryLog } from "../source/primary-log.ts";
import { createMysqlClient } from "./client-database.ts";

const never = (): AbortSignal => new AbortController().signal;

function clientOf(
  url: string,
  more: { readonly maxSessions?: number; readonly isReadOnly?: boolean } = {},
): ClientDatabase {
  return createMysqlClient({ url, maxSessions: 2, isReadOnly: false, ...more });
}

async function endOf(url: string, hasIds = true): Promise<Position> {
  await using connected = await connect({ url }, never());
  return (await readPrimaryLog(connected.session, connected.server.flavour, hasIds)).end;
}

async function itemsOf(flavour: "mysql" | "mariadb"): Promise<string> {
  const url = await freshMysqlDatabase(flavour);
  await queryMysql(url, "create table items (id int primary key, name varchar(20), at datetime, big bigint)");
  return url;
}

describe.each(MYSQL_FLAVOURS)("an application with %s", (flavour) => {
  test("gets rows as mysql2 gives them, and values for its question marks", async () => {
    const url = await itemsOf(flavour);
    await using database = clientOf(url);
    const name = "it's a \\ and a \"";
    const { result } = await database.execute("insert into items values (?, ?, ?, ?)", [
      1,
      name,
      new Date(2026, 0, 2, 3, 4, 5),
      "9007199254740993",
    ]);
    expect(result).toEqual({ rows: [], rowCount: 1 });
    const { rows, rowCount } = await database.fetch("select id, name, at from items where name = ?", [name]);
    expect(rows).toEqual([{ id: 1, name, at: new Date(2026, 0, 2, 3, 4, 5) }]);
    expect(rowCount).toBe(1);
    expect((await database.fetch("select id from items where id in (?)", [[1, 2]])).rows).toEqual([
      { id: 1 },
    ]);
    await queryMysql(url, "create procedure both_of () begin select 1 as one; select 2 as two; end");
    expect((await database.execute("call both_of()", [])).result.rows).toEqual([{ two: 2 }]);
  });

  test("gets the position of its own commit with the answer, and of nothing committed the end of the log", async () => {
    const url = await itemsOf(flavour);
    await using database = clientOf(url, { maxSessions: 8 });
    const before = await endOf(url);
    const { position } = await database.execute("insert into items (id) values (1)", []);
    expect(includes(comparePositions, before, position)).toBe(false);
    expect(includes(comparePositions, await endOf(url), position)).toBe(true);
    const ids = Array.from({ length: 40 }, (_, index) => index + 2);
    const all = await Promise.all(
      ids.map(async (id) => (await database.execute("insert into items (id) values (?)", [id])).position),
    );
    expect(new Set(all).size).toBe(40);
    const read = await database.execute("select count(*) as n from items", []);
    expect(read.result.rows).toEqual([{ n: 41 }]);
    for (const one of all) expect(includes(comparePositions, read.position, one)).toBe(true);
    const made = await database.execute("create table later (id int primary key)", []);
    expect(includes(comparePositions, read.position, made.position)).toBe(false);
    expect(includes(comparePositions, await endOf(url), made.position)).toBe(true);
    const idle = await database.transaction(async (tx) => await tx.query("select 1 as one", []));
    expect(parsed(idle.position)?.kind).toBe(flavour === "mysql" ? "set" : "domains");
  });

  test("has transactions that are committed whole or not at all, whatever its code does", async () => {
    const url = await itemsOf(flavour);
    await using database = clientOf(url, { maxSessions: 1 });
    const insert = "insert into items (id) values (?)";
    const done = await database.transaction(async (tx) => {
      await tx.query(insert, [1]);
      return (await tx.query("select id from items", [])).rows;
    });
    expect(done.result).toEqual([{ id: 1 }]);
    const duplicate = /Duplicate entry/;
    await expect(database.transaction(async (tx) => await tx.query(insert, [1]))).rejects.toThrow(duplicate);
    // One that was caught; one that nobody waited for.
    const caught = database.transaction(async (tx) => {
      await tx.query(insert, [2]);
      await tx.query(insert, [1]).catch(() => undefined);
    });
    await expect(caught).rejects.toThrow(duplicate);
    const unawaited = database.transaction(async (tx) => {
      await tx.query(insert, [3]);
      tx.query(insert, [1]).catch(() => undefined);
    });
    await expect(unawaited).rejects.toThrow(duplicate);
    const own = database.transaction(async (tx) => {
      await tx.query(insert, [4]);
      throw new Error("the application's own");
    });
    await expect(own).rejects.toThrow("the application's own");
    expect(await queryMysql(url, "select id from items")).toEqual([{ id: "1" }]);
    for (const statement of ["create table t (id int)", "commit", "begin", "rollback"]) {
      const torn = database.transaction(async (tx) => {
        await tx.query("update items set big = coalesce(big, 0) + 1 where id = 1", []);
        await tx.query(statement, []).catch(() => undefined);
      });
      await expect(torn).rejects.toMatchObject({ code: "config-invalid" });
    }
    await expect(database.execute("begin", [])).rejects.toMatchObject({ code: "config-invalid" });
    await database.execute(insert, [9]);
    expect(await queryMysql(url, "select count(*) as n from items where id = 9")).toEqual([{ n: "1" }]);
    let kept: unknown = null;
    await database.transaction(async (tx) => await Promise.resolve(void (kept = tx.query.bind(tx))));
    if (typeof kept === "function") await expect(kept("select 1", [])).rejects.toThrow("has ended");
  });

  test("cannot write where it only reads, and is told of a session that broke", async () => {
    const url = await itemsOf(flavour);
    await using reading = clientOf(url, { isReadOnly: true, maxSessions: 1 });
    await expect(reading.fetch("insert into items (id) values (1)", [])).rejects.toMatchObject({
      errno: 1792,
    });
    const [{ id } = { id: 0 }] = (await reading.fetch<{ id: number }>("select connection_id() as id", []))
      .rows;
    const broken = reading.fetch("select sleep(60)", []);
    broken.catch(() => undefined);
    await queryMysql(url, `kill ${id}`);
    await expect(broken).rejects.toMatchObject({ code: "connection-lost" });
    expect((await reading.fetch("select 1 as one", [])).rows).toEqual([{ one: 1 }]);
  });
});

test.each(["OFF", "ON_PERMISSIVE"])(
  "with gtid_mode %s a commit's position is where the log ends behind it",
  async (mode) => {
    await using server = await startMysql("mysql", { settings: { "gtid-mode": mode } });
    await server.query("create database shop; create table shop.items (id int primary key)");
    const url = server.url("shop");
    await using database = clientOf(url);
    const before = await endOf(url, false);
    const { position } = await database.execute("insert into items values (1)", []);
    expect(parsed(position)?.kind).toBe("file");
    expect(comparePositions(before, position)).toBe("before");
    expect(await endOf(url, false)).toBe(position);
  },
);

test("of a server whose words have no backslash before what they quote, values arrive as they are", async () => {
  await using server = await startMysql("mysql", {
    settings: { "sql-mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES" },
  });
  await using database = clientOf(server.url());
  const text = "it's \\' or 1 = 1 -- ";
  expect((await database.fetch("select ? as v", [text])).rows).toEqual([{ v: text }]);
  const [mode] = (await database.fetch<{ mode: string }>("select @@sql_mode as mode", [])).rows;
  expect(mode?.mode).toContain("ANSI_QUOTES");
  expect(mode?.mode).not.toContain("NO_BACKSLASH_ESCAPES");
});

import { expect, test } from "vitest";
import { Deferred, hasCode, NOT_CARRIED } from "@lockstep/core";
import { eventually, freshMysqlDatabase, queryMysql, type Following } from "@lockstep/testkit";
import { follow, heldBy, rowsOf, run, sourceOf } from "./source.fixture.ts";

/* What MariaDB's log does not say of columns, and its catalog does, while tables change. */

const UUID = "00112233-4455-6677-8899-aabbccddeeff";
const AS_BYTES = `\\x${UUID.replaceAll("-", "")}`;
/** A statement that says nothing certain of the table that is there afterwards. */
const UNTOLD = "if not exists";
const HALTS = { code: "table-not-supported", message: expect.stringContaining("rows of ") as unknown };

test("columns that become UUID, INET, VECTOR or generated while it streams, and back, are what they are from there on", async () => {
  const url = await freshMysqlDatabase("mariadb");
  await run(url, "create table items (id int primary key, u binary(16))");
  await using following = await follow(sourceOf(url));
  const insert = (id: number, u: string): string => `insert into items (id, u) values (${id}, ${u})`;
  const bytes = `x'${UUID.replaceAll("-", "")}'`;
  await run(url, insert(1, bytes), "alter table items modify u uuid", insert(2, `'${UUID}'`));
  await following.waitFor(2);
  await run(
    url,
    "alter table items add g int as (id * 2) stored, add a inet4 default '1.2.3.4'",
    insert(3, "null"),
  );
  await run(url, "update items set u = null where id = 2");
  await following.waitFor(4);
  await run(url, "alter table items drop g, drop a, modify u binary(16)", insert(4, bytes));
  await run(url, "create table more (id int primary key, u uuid, v vector(2))");
  await run(url, `insert into more values (1, '${UUID}', vec_fromtext('[1,2]'))`);
  await following.waitFor(7);
  expect(rowsOf(following)).toEqual([
    ["int binary(16)", ["1", AS_BYTES]],
    ["int uuid", ["2", UUID]],
    ["int uuid inet4", ["3", null, "1.2.3.4"]],
    ["int uuid inet4", ["2", null, "1.2.3.4"]],
    ["int binary(16)", ["4", AS_BYTES]],
    ["int uuid vector(2)", ["1", UUID, "[1,2]"]],
  ]);
  expect(rowsOf(following).flatMap(([, cells]) => cells)).not.toContain(NOT_CARRIED);
});

test("rows from before such a statement, which the catalog no longer knows, end the stream by name", async () => {
  const url = await freshMysqlDatabase("mariadb");
  await run(url, `create table ${UNTOLD} items (id int primary key, u binary(16), note int)`);
  await run(url, "create table plain (id int primary key, n int)");
  const before = await follow(sourceOf(url));
  const { start } = before.session;
  await before[Symbol.asyncDispose]();
  await run(
    url,
    "insert into plain values (1, 5)",
    "insert into items values (1, null, 1)",
    "alter table plain add m int first, drop n",
    "alter table items add later int, drop note",
    "insert into plain values (2, 2)",
  );
  const source = sourceOf(url);
  // One that is to be read anew, by who knows what follows, is.
  const fromThere = async (): Promise<Following> => {
    for (;;) {
      const following = await follow(source, start);
      await eventually("three transactions, or a failure", async () => {
        expect(following.failure !== null || following.transactions.length >= 3).toBe(true);
        await Promise.resolve();
      });
      if (following.failure === null) return following;
      await following[Symbol.asyncDispose]();
      if (!hasCode(following.failure, "connection-lost")) throw following.failure;
    }
  };
  {
    await using following = await fromThere();
    expect(rowsOf(following).map(([types]) => types)).toEqual(["int int", "int binary(16) int", "int int"]);
  }
  await run(url, "alter table items modify u uuid");
  await expect(fromThere()).rejects.toMatchObject(HALTS);
  const [row] = await queryMysql(url, "select count(*) as n from items");
  expect(row).toEqual({ n: "1" });
});

test("a statement of others in between is no reason to look at ours, which change behind it", async () => {
  const url = await freshMysqlDatabase("mariadb");
  const others = await freshMysqlDatabase("mariadb");
  await run(url, "create table items (id int primary key, u binary(16))");
  const held = new Deferred<void>();
  await using following = await follow(sourceOf(url), null, heldBy(held));
  await run(url, "insert into items values (0, null)");
  await following.waitFor(1);
  await run(others, "create table items (id int primary key)", "alter table items add u uuid");
  await run(url, "insert into items values (1, null)", "alter table items modify u uuid");
  await run(url, `insert into items values (2, '${UUID}')`);
  held.resolve(undefined);
  await following.waitFor(3);
  expect(rowsOf(following).map(([types]) => types)).toEqual(["int binary(16)", "int binary(16)", "int uuid"]);
});

test("a column that is now one and now the other, as fast as it can be: never a wrong value", async () => {
  const url = await freshMysqlDatabase("mariadb");
  await run(url, "create table items (id int primary key, u binary(16))");
  await using following = await follow(sourceOf(url));
  const rounds = Array.from({ length: 8 }, (_, index) => {
    const [even, odd] = [index * 2, index * 2 + 1];
    return `alter table items modify u uuid; insert into items values (${even}, '${UUID}');
            alter table items modify u binary(16); insert into items values (${odd}, x'${UUID.replaceAll("-", "")}')`;
  });
  await queryMysql(url, rounds.join("; "));
  await eventually("all, or an end by name", async () => {
    expect(following.failure !== null || following.transactions.length === 16).toBe(true);
    await Promise.resolve();
  });
  const { failure } = following;
  expect(failure === null || hasCode(failure, "table-not-supported")).toBe(true);
  for (const [types, [id, u]] of rowsOf(following))
    expect([types, u]).toEqual(Number(id) % 2 === 0 ? ["int uuid", UUID] : ["int binary(16)", AS_BYTES]);
});

test("rows that the topic has already are not compared with it where a statement stands behind them, and stop nobody", async () => {
  const url = await freshMysqlDatabase("mariadb");
  await run(url, `create table ${UNTOLD} items (id int primary key, n int, g int as (n * 2) stored)`);
  const source = sourceOf(url);
  const first = await follow(source);
  await run(url, "insert into items (id, n) values (1, 1)", "update items set n = 2");
  await run(url, "alter table items drop g", "insert into items (id, n) values (2, 2)");
  const [, , last] = await first.waitFor(3);
  await first[Symbol.asyncDispose]();
  await run(url, "insert into items (id, n) values (3, 3)");
  const reached = last?.position ?? null;
  await using again = await follow(source, reached);
  await eventually("it is noticed", async () => {
    expect(again.failure).toMatchObject({
      code: "connection-lost",
      message: expect.stringContaining("cannot be compared"),
    });
    await Promise.resolve();
  });
  await again[Symbol.asyncDispose]();
  await using third = await follow(source, reached);
  await third.waitFor(1);
  expect(rowsOf(third)).toEqual([["int int", ["3", "3"]]]);
});

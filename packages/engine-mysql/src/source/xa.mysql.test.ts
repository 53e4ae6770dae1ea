import type { ReplicationEvent } from "@lockstep/core";
import {
  eventually,
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  openMysql,
  queryMysql,
  startMysql,
  uniqueName,
} from "@lockstep/testkit";
import { describe, expect, test } from "vitest";
import { follow, never, run, sourceOf } from "./source.fixture.ts";

/* Transactions of XA: their rows are logged when they are prepared, their outcome whenever it is known. */

describe.each(MYSQL_FLAVOURS)("%s as primary, XA", (flavour) => {
  test("what is prepared comes once, where it is committed, by whomever, and never if rolled back", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key)");
    const [one, other, alone] = [uniqueName("xa"), uniqueName("xa"), uniqueName("xa")];
    await using following = await follow(sourceOf(url));
    await using session = await openMysql(url);
    await session.query(prepared(one, "insert into items values (1)"));
    await run(
      url,
      `xa start '${other}', 'b', 7; insert into items values (2); xa end '${other}', 'b', 7; xa prepare '${other}', 'b', 7`,
      "insert into items values (3)",
    );
    await end(url, `xa rollback '${other}', 'b', 7`);
    await run(
      url,
      `xa start '${alone}'; insert into items values (4); xa end '${alone}'; xa commit '${alone}' one phase`,
    );
    await following.waitFor(2);
    await session.query(`xa commit '${one}'`);
    await run(url, "insert into items values (5)");
    const transactions = await following.waitFor(4);
    expect(transactions.map(({ events }) => keys(events))).toEqual([["3"], ["4"], ["1"], ["5"]]);
  });

  test("a large one comes in pieces, once it is committed (M1)", async () => {
    const url = await freshMysqlDatabase(flavour);
    await run(url, "create table items (id int primary key, text varchar(2000))");
    await using following = await follow(sourceOf(url));
    const [held, alone] = [uniqueName("xa"), uniqueName("xa")];
    const insert = (first: number): string =>
      `insert into items with recursive n as (select ${first} as id union all select id + 1 from n where id < ${first + 999})
         select id, repeat('x', 2000) from n`;
    await run(url, prepared(held, insert(1)), "insert into items values (0, null)");
    await following.waitFor(1);
    await end(url, `xa commit '${held}'`);
    await run(
      url,
      `xa start '${alone}'; ${insert(1001)}; xa end '${alone}'; xa commit '${alone}' one phase`,
      "insert into items values (9999, null)",
    );
    const transactions = await following.waitFor(4);
    expect(transactions.map(({ events }) => [keys(events)[0], events.length])).toEqual([
      ["0", 1],
      ["1", 1000],
      ["1001", 1000],
      ["9999", 1],
    ]);
    for (const { bytes } of following.batches) expect(bytes).toBeLessThan(1024 * 1024);
  });

  test("a run that begins between the two finds the rows further back, while the log has them", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop; create table shop.items (id int primary key)");
    const url = server.url("shop");
    const prepare = (name: string, id: number): string => prepared(name, `insert into items values (${id})`);
    await run(url, prepare("again", 1), "xa rollback 'again'", prepare("early", 2), prepare("gone", 3));
    await run(url, "flush binary logs", prepare("again", 4));
    await server.kill();
    await server.start();
    await run(url, prepare("late", 5));
    const source = sourceOf(url);
    await using following = await follow(source);
    await using snapshot = await source.openSnapshot(
      [{ schema: "shop", name: "items" }],
      { rangeBytes: 1_000_000, waitsForAll: false },
      never(),
    );
    for (const range of snapshot.tables.flatMap(({ ranges }) => ranges))
      for await (const rows of snapshot.read(range, "json-rows", never())) expect.unreachable(String(rows));
    for (const name of ["again", "early", "late"]) await end(url, `xa commit '${name}'`);
    await run(url, "insert into items values (6)");
    const transactions = await following.waitFor(4);
    expect(transactions.map(({ events }) => keys(events))).toEqual([["4"], ["2"], ["5"], ["6"]]);
    await following[Symbol.asyncDispose]();

    await using later = await follow(sourceOf(url));
    await run(url, "flush binary logs");
    const logs = await queryMysql(url, "show binary logs");
    await run(url, `purge binary logs to '${String(logs.at(-2)?.["Log_name"])}'`);
    await end(url, "xa commit 'gone'");
    await eventually("it is noticed", async () => {
      expect(later.failure).toMatchObject({
        code: "history-gap",
        message: expect.stringContaining("X'676f6e65',X'',1"),
      });
      await Promise.resolve();
    });
    expect(later.transactions).toEqual([]);
  });

  test("rows that the topic has are not asked for: a run that starts again goes on without them", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop; create table shop.items (id int primary key)");
    const url = server.url("shop");
    const first = await follow(sourceOf(url));
    await run(url, prepared("gone", "insert into items values (1)"), "flush binary logs");
    await end(url, "xa commit 'gone'");
    const [published] = await first.waitFor(1);
    await first[Symbol.asyncDispose]();
    const logs = await queryMysql(url, "show binary logs");
    await run(url, `purge binary logs to '${String(logs.at(-1)?.["Log_name"])}'`);

    const source = sourceOf(url);
    const reached = published?.position ?? expect.unreachable();
    {
      await using again = await follow(source, reached);
      await eventually("it is to begin anew", async () => {
        expect(again.failure).toMatchObject({ code: "connection-lost" });
        await Promise.resolve();
      });
    }
    await using anew = await follow(source, reached);
    await run(url, "insert into items values (2)");
    expect((await anew.waitFor(1)).map(({ events }) => keys(events))).toEqual([["2"]]);
  });
});

test("MySQL without GTIDs, with compressed transactions: XA", async () => {
  await using server = await startMysql("mysql", {
    settings: {
      "gtid-mode": "OFF",
      "enforce-gtid-consistency": "OFF",
      "binlog-transaction-compression": "ON",
    },
  });
  await server.query("create database shop; create table shop.items (id int primary key, text mediumtext)");
  const url = server.url("shop");
  await run(url, prepared("early", "insert into items values (1, repeat('x', 1000000))"));
  await using following = await follow(sourceOf(url));
  await run(url, "insert into items values (2, null)");
  await end(url, "xa commit 'early'");
  await run(url, prepared("late", "insert into items values (3, null)"));
  await end(url, "xa commit 'late'");
  const transactions = await following.waitFor(3);
  expect(transactions.map(({ events }) => keys(events))).toEqual([["2"], ["1"], ["3"]]);
  for (const { position } of transactions) expect(position).toMatch(/^binlog\.\d+\/\d+$/);
});

function prepared(name: string, sql: string): string {
  return `xa start '${name}'; ${sql}; xa end '${name}'; xa prepare '${name}'`;
}

/** A session that ended lets go of what it prepared a moment later. */
async function end(url: string, sql: string): Promise<void> {
  await eventually("the transaction is free", async () => void (await queryMysql(url, sql)));
}

/** The first cells of rows that were inserted. */
function keys(events: readonly ReplicationEvent[]): string[] {
  return events.map((event) => (event.kind === "insert" ? String(event.after[0]) : event.kind));
}

import { describe, expect, test } from "vitest";
import { position, tableLabel, type Position } from "@lockstep/core";
import { eventually, MYSQL_FLAVOURS, startMysql, type Following, type MysqlServer } from "@lockstep/testkit";
import { follow, followOn, run, sourceOf, startOf } from "./source.fixture.ts";

/** What has come, by the names that its tables have there. */
function eventsOf(following: Following): string[] {
  const label = (id: number): string => {
    const table = following.tables.get(id);
    return table === undefined ? "(none)" : tableLabel(table);
  };
  return following.events.map((event) => {
    if (event.kind === "truncate") return `truncate ${event.tables.map(label).join(" ")}`;
    return `${event.kind === "schema" && event.isAnew === true ? "anew" : event.kind} ${label(event.table)}`;
  });
}

test("statements that write names in another case mean the tables that the log has, where the server ignores it", async () => {
  await using server = await startMysql("mariadb", { settings: { "lower-case-table-names": "1" } });
  await server.query("create database Shop; create table Shop.Items (id int primary key)");
  await using following = await follow(sourceOf(server.url()));
  await run(
    server.url("shop"),
    "insert into ITEMS values (1)",
    "truncate table SHOP.Items",
    "alter ignore table shop.ITEMS add unique (id)",
    "create or replace table Items (id int primary key)",
    "rename table Items to Others",
    "create table ITEMS (id int primary key)",
    "drop table Others",
    "insert into Items values (2)",
    "drop database SHOP",
  );
  await server.query("create database shOP; create table SHOP.items (id int primary key)");
  await server.query("insert into shop.Items values (3)");
  await following.waitFor(11);
  expect(eventsOf(following)).toEqual([
    "insert shop.items",
    "truncate shop.items",
    "anew shop.items",
    "anew shop.items",
    "anew shop.items",
    "anew shop.others",
    "anew shop.items",
    "anew shop.others",
    "insert shop.items",
    "anew shop.items",
    "anew shop.others",
    "anew shop.items",
    "insert shop.items",
  ]);
});

describe.each(MYSQL_FLAVOURS)("a database of %s that is dropped", (flavour) => {
  test("takes its tables along of which no row was streamed", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop; create table shop.items (id int primary key)");
    await server.query("insert into shop.items values (1)");
    await using following = await follow(sourceOf(server.url()));
    await server.query("drop database shop");
    await following.waitFor(1);
    expect(eventsOf(following)).toEqual(["anew shop.items"]);
  });

  test("while nobody reads has other tables when they are made again, each once", async () => {
    await using server = await startMysql(flavour);
    await server.query("create database shop; create table shop.items (id int primary key)");
    await server.query("create database aside; create table aside.x (id int primary key)");
    const source = sourceOf(server.url());
    await using first = await follow(source);
    await server.query("insert into aside.x values (1)");
    const [last] = await first.waitFor(1);
    await first[Symbol.asyncDispose]();
    await server.query("drop database shop; create database shop");
    await using second = await follow(source, last?.position ?? null);
    await run(
      server.url("shop"),
      "create table if not exists items (id int primary key)",
      "create table if not exists items (id int primary key)",
      "insert into items values (1)",
    );
    await eventually("it has come", async () => {
      expect(eventsOf(second)).toContain("insert shop.items");
      await Promise.resolve();
    });
    expect(eventsOf(second).filter((event) => event.includes("shop"))).toEqual([
      "anew shop.items", // Made first, which is read again.
      "anew shop.items", // Dropped.
      "anew shop.items",
      "insert shop.items",
    ]);
  });
});

describe.each(MYSQL_FLAVOURS)("tables that %s makes", (flavour) => {
  /** More than what the topic has is read again for. */
  const MANY = 1_100;
  const UNLESS = "create table if not exists items (id int primary key)";

  async function withItems(): Promise<MysqlServer> {
    const server = await startMysql(flavour, { settings: { "sync-binlog": "0" } });
    await server.query("create database shop; create database aside; create table aside.x (id int)");
    await server.query("create table shop.items (id int primary key)");
    return server;
  }

  async function fill(server: MysqlServer): Promise<void> {
    await server.query(Array.from({ length: MANY }, () => "insert into aside.x values (1)").join("; "));
  }

  /** Of `shop`, until it has an insert. */
  async function eventsOfShop(following: Following, inserts: number): Promise<string[]> {
    return await eventually("rows have come", async () => {
      await Promise.resolve();
      if (following.failure !== null) throw following.failure;
      const events = eventsOf(following).filter((event) => event.includes("shop"));
      expect(events.filter((event) => event.startsWith("insert"))).toHaveLength(inserts);
      return events;
    });
  }

  test.each(["create table items (id int primary key)", UNLESS])(
    "are others than before where their database was dropped before yet another stream began: %s",
    async (create) => {
      await using server = await withItems();
      const source = sourceOf(server.url());
      const start = await startOf(source);
      await server.query("drop database shop; create database shop");
      await fill(server);
      const reached = await endOf(await followOn(source, start, MANY));
      await using third = await follow(source, reached);
      await run(server.url("shop"), create, "insert into items values (1)");
      expect(await eventsOfShop(third, 1)).toEqual(["anew shop.items", "insert shop.items"]);
    },
  );

  test("unless they are there stay what they are", async () => {
    await using server = await withItems();
    await fill(server);
    await eventually("another second has begun", async () => {
      const [row] = await server.query(
        "select unix_timestamp() > unix_timestamp(create_time) as has from information_schema.tables where table_name = 'items'",
      );
      expect(Number(row?.["has"])).toBe(1);
    });
    const source = sourceOf(server.url());
    const start = await startOf(source);
    await run(server.url("shop"), UNLESS, "insert into items values (1)");
    await using following = await follow(source, start);
    await run(
      server.url("shop"),
      UNLESS,
      "alter table items add n int",
      UNLESS,
      "insert into items values (2, 2)",
    );
    expect(await eventsOfShop(following, 2)).toEqual([
      "insert shop.items",
      "schema shop.items",
      "insert shop.items",
    ]);
  });

  test("unless they are there are read of once: what the topic has of it is not compared", async () => {
    await using server = await withItems();
    const source = sourceOf(server.url());
    const first = await follow(source);
    await run(server.url("shop"), UNLESS.replace("items", "more"), "insert into items values (1)");
    await eventsOfShop(first, 1);
    const reached = await endOf(first);
    await using second = await follow(source, reached);
    await eventually("it is noticed", async () => {
      await Promise.resolve();
      expect(String(second.failure)).toContain("cannot be compared");
    });
    await second[Symbol.asyncDispose]();
    await using third = await follow(source, reached);
    await run(server.url("shop"), "insert into items values (2)");
    expect(await eventsOfShop(third, 1)).toEqual(["insert shop.items"]);
  });
});

async function endOf(following: Following): Promise<Position> {
  await following[Symbol.asyncDispose]();
  if (following.position === null) throw new Error("nothing has come");
  return following.position;
}

test("however many databases are dropped, a stream keeps no more than so many names: the next one goes on behind them", async () => {
  await using server = await startMysql("mysql", { settings: { "sync-binlog": "0" } });
  await server.query("create database shop; create table shop.items (id int primary key)");
  const source = sourceOf(server.url("shop"));
  await using following = await follow(source);
  await run(server.url(), "insert into shop.items values (1)");
  for (let from = 0; from <= 10_000; from += 1_000) {
    const drops = Array.from({ length: 1_000 }, (_, index) => `drop database if exists gone${from + index}`);
    await server.query(drops.join("; "));
  }
  // While the topic has no more than when the stream began, another one would come no further.
  await run(server.url(), "insert into shop.items values (2)");
  const [, second] = await following.waitFor(2);
  following.session.confirm({ durable: second?.position ?? position("1"), replicated: null });
  await run(server.url(), "drop database if exists gone");
  await eventually("it ends", async () => {
    expect(following.failure).toMatchObject({ code: "connection-lost" });
    await Promise.resolve();
  });
  expect(String(following.failure)).toContain("the log is read on without them");
  await following[Symbol.asyncDispose]();
  await using next = await follow(source, following.position);
  await run(server.url(), "insert into shop.items values (3)");
  await eventually("it goes on", async () => {
    if (next.failure !== null) throw next.failure;
    expect(eventsOf(next).at(-1)).toBe("insert shop.items");
    await Promise.resolve();
  });
  expect(next.position).not.toBe(following.position);
});

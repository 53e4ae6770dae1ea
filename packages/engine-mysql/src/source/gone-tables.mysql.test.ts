import { access } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Deferred } from "@lockstep/core";
import {
  eventually,
  freshMysqlDatabase,
  openMysql,
  queryMysql,
  silentLogger,
  startMysql,
  uniqueName,
  type Following,
  type MysqlServer,
} from "@lockstep/testkit";
import { follow, followOn, heldBy, rowsOf, run, sourceOf, startOf } from "./source.fixture.ts";
import { MysqlSource } from "./source.ts";

/* Tables of MariaDB that are gone, or others, by the time that their rows are read. */

const UUID = "00112233-4455-6677-8899-aabbccddeeff";
/** 200 are no other, and take three times as long. */
const ROUNDS = 60;
const HALTS = { code: "table-not-supported", message: expect.stringContaining("rows of ") as unknown };

/** Made, filled and dropped again, so many times. */
function rounds(count: number, columns: string, values: string): string {
  const round = (id: number): string =>
    `create table brief (id int primary key, ${columns}); insert into brief (id, c) values (${id}, ${values}); drop table brief`;
  return Array.from({ length: count }, (_, index) => round(index)).join("; ");
}

describe("a table that is made, filled and dropped again and again", () => {
  const others = (url: string): MysqlSource =>
    new MysqlSource({
      url,
      pipeline: uniqueName("source"),
      tables: { include: [`${new URL(url).pathname.slice(1)}.items`], exclude: [] },
      maxRowBytes: 1024 * 1024,
      logger: silentLogger,
    });
  const inserts = ({ events }: Following): number => events.filter(({ kind }) => kind === "insert").length;

  const cases = [
    { name: "it is replicated", of: sourceOf, briefly: ROUNDS },
    { name: "another one is", of: others, briefly: 0 },
  ];
  test.each(cases)("while the stream is behind: $name", async ({ of, briefly }) => {
    const url = await freshMysqlDatabase("mariadb");
    await run(url, "create table items (id int primary key)");
    const held = new Deferred<void>();
    await using following = await follow(of(url), null, heldBy(held));
    await run(url, "insert into items values (1)");
    await following.waitFor(1);
    await queryMysql(url, rounds(ROUNDS, "c varchar(20)", "'text'"));
    await run(url, "insert into items values (2)");
    held.resolve(undefined);
    await eventually("all have come", async () => {
      if (following.failure !== null) throw following.failure;
      expect(inserts(following)).toBe(2 + briefly);
      await Promise.resolve();
    });
  });

  test.each(cases)("while nobody reads: $name", async ({ of, briefly }) => {
    const url = await freshMysqlDatabase("mariadb");
    await run(url, "create table items (id int primary key)");
    const source = of(url);
    const start = await startOf(source);
    await queryMysql(url, rounds(ROUNDS, "c varchar(20)", "'text'"));
    await run(url, "insert into items values (1)");
    await using following = await followOn(source, start, briefly + 1);
    expect(inserts(following)).toBe(briefly + 1);
  });

  test("with columns of which the log does not tell: what its statement says of them", async () => {
    const url = await freshMysqlDatabase("mariadb");
    await run(url, "create table items (id int primary key)");
    const source = sourceOf(url);
    const start = await startOf(source);
    await queryMysql(url, rounds(20, "g int as (id * 2) stored, c uuid default uuid()", `'${UUID}'`));
    await queryMysql(url, rounds(20, "c binary(16)", "null"));
    await using following = await followOn(source, start, 40);
    expect(rowsOf(following).map(([types]) => types)).toEqual([
      ...Array.from({ length: 20 }, () => "int uuid"),
      ...Array.from({ length: 20 }, () => "int binary(16)"),
    ]);
  });
});

test("rows of a table that was known before they were logged are what they were, whatever it becomes behind them", async () => {
  const url = await freshMysqlDatabase("mariadb");
  await run(
    url,
    "create table items (id int primary key, u uuid)",
    "create table other (id int primary key)",
  );
  const held = new Deferred<void>();
  await using following = await follow(sourceOf(url), null, heldBy(held));
  await run(url, `insert into items values (0, '${UUID}')`);
  await following.waitFor(1);
  await run(url, "alter table other add n int", `insert into items values (1, '${UUID}')`);
  await run(url, "alter table items modify u binary(16)");
  held.resolve(undefined);
  await following.waitFor(2);
  expect(rowsOf(following)).toEqual([
    ["int uuid", ["0", UUID]],
    ["int uuid", ["1", UUID]],
  ]);
});

test("a table that is made with its rows has the columns that its statement says", async () => {
  const url = await freshMysqlDatabase("mariadb");
  await run(url, "create table items (id int primary key)");
  await using following = await follow(sourceOf(url));
  await run(url, `create table made (id int primary key, u uuid) select 1 as id, '${UUID}' as u`);
  await eventually("it has come", async () => {
    if (following.failure !== null) throw following.failure;
    expect(rowsOf(following)).toEqual([["int uuid", ["1", UUID]]]);
    await Promise.resolve();
  });
});

describe("a table whose files are gone while the log has no word of that yet", () => {
  /** Commits that nobody answers: the first one waits, the second keeps the log, and what drops a table waits for it. */
  async function dropped(
    server: MysqlServer,
    work: (gone: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    await server.query(
      `set global rpl_semi_sync_master_timeout = 600000, global rpl_semi_sync_master_wait_point = AFTER_SYNC,
           global rpl_semi_sync_master_wait_no_slave = ON, global rpl_semi_sync_master_enabled = ON`,
    );
    await using first = await openMysql(server.url("shop"));
    await using second = await openMysql(server.url("shop"));
    await using third = await openMysql(server.url("shop"));
    const waiting: Promise<unknown>[] = [];
    try {
      await work(async () => {
        waiting.push(first.query("insert into other values (100)"));
        await eventually("it waits", async () => {
          const rows = await server.query("show global status like 'rpl_semi_sync_master_wait_sessions'");
          expect(rows).toMatchObject([{ Value: "1" }]);
        });
        const [before] = await server.query("select @@gtid_binlog_pos as pos");
        waiting.push(second.query("insert into other values (101)"));
        await eventually("another one is in the log", async () => {
          expect(await server.query("select @@gtid_binlog_pos as pos")).not.toEqual([before]);
        });
        waiting.push(third.query("drop table items"));
        await eventually("the files are gone", async () => {
          await expect(access(join(server.dataDir, "shop", "items.frm"))).rejects.toThrow("ENOENT");
        });
      });
    } finally {
      await server.query("set global rpl_semi_sync_master_enabled = OFF");
      await Promise.all(waiting);
    }
  }

  async function withItems(): Promise<MysqlServer> {
    const server = await startMysql("mariadb");
    await server.query("create database shop; create table shop.other (id int primary key)");
    await server.query("create table shop.items (id int primary key, u uuid)");
    return server;
  }

  test("when a run starts: its rows are never taken for other ones", async () => {
    await using server = await withItems();
    const source = sourceOf(server.url("shop"));
    const start = await startOf(source);
    await server.query(`insert into shop.items values (1, '${UUID}')`);
    await dropped(server, async (gone) => {
      await gone();
      await expect(followOn(source, start, 1)).rejects.toMatchObject(HALTS);
    });
  });

  test("when the catalog is read again: its rows are what it was", async () => {
    await using server = await withItems();
    const held = new Deferred<void>();
    await using following = await follow(sourceOf(server.url("shop")), null, heldBy(held));
    await server.query("insert into shop.other values (1)");
    await following.waitFor(1);
    await server.query("alter table shop.other add index (id)");
    await server.query(`insert into shop.items values (1, '${UUID}')`);
    await dropped(server, async (gone) => {
      await gone();
      held.resolve(undefined);
      await eventually("the row has come", async () => {
        if (following.failure !== null) throw following.failure;
        expect(rowsOf(following).slice(1, 2)).toEqual([["int uuid", ["1", UUID]]]);
        await Promise.resolve();
      });
    });
  });
});

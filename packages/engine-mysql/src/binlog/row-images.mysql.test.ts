import { describe, expect, test } from "vitest";
import { NOT_CARRIED, type ReplicationEvent } from "@lockstep/core";
import { startMysql, type MysqlRelease } from "@lockstep/testkit";
import { decodeLog, openSession, recordLog, type DecoderSettings } from "./recorded-log.fixture.ts";
import { recordedServer } from "./recorded-server.fixture.ts";

const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb", "mariadb-10.11"];
const NONE = NOT_CARRIED;

describe.each(RELEASES)("rows of %s", (release) => {
  const log = recordedServer(release, "images");

  /** The events that statements leave in the log, without ids of tables. */
  async function eventsOf(statements: readonly string[], settings: DecoderSettings = {}): Promise<object[]> {
    const file = await log.session.freshLog();
    for (const sql of statements) await log.session.query(sql);
    const { contents } = await decodeLog(
      log.flavour,
      log.session,
      await recordLog(log.server.url(), file),
      settings,
    );
    return contents.flatMap((content) => (content.kind === "rows" ? content.events.map(withoutTable) : []));
  }

  const CHANGES = [
    "insert into t (id, v, b) values (1, 'one', 'blob'), (2, null, null)",
    "update t set n = 5 where id = 1",
    "update t set b = null where id = 1",
    "update t set id = 9 where id = 1",
    "delete from t where id = 9",
  ];
  const CREATE = [
    "drop table if exists t",
    "create table t (id int primary key, v varchar(10), n int default 7, b blob)",
  ];
  const BLOB = "\\x626c6f62";

  test("carry only the key of old rows, where it changed", async () => {
    const events = await eventsOf([...CREATE, ...CHANGES], { wholeBefore: false });
    expect(events).toEqual([
      { kind: "insert", after: ["1", "one", "7", BLOB] },
      { kind: "insert", after: ["2", null, "7", null] },
      { kind: "update", after: ["1", "one", "5", BLOB] },
      { kind: "update", after: ["1", "one", "5", null] },
      { kind: "update", before: ["1", NONE, NONE, NONE], after: ["9", "one", "5", null] },
      { kind: "delete", before: ["9", NONE, NONE, NONE] },
    ]);
  });

  test("carry whole old rows where they are wanted", async () => {
    const events = await eventsOf([...CREATE, ...CHANGES.slice(0, 2), ...CHANGES.slice(4)]);
    expect(events.slice(2)).toEqual([
      { kind: "update", before: ["1", "one", "7", BLOB], after: ["1", "one", "5", BLOB] },
    ]);
  });

  test.each([
    [
      "minimal",
      ["1", "one", "7", BLOB],
      ["9", NONE, NONE, NONE],
      ["1", NONE, "5", NONE],
      ["1", NONE, NONE, null],
    ],
    [
      "noblob",
      ["1", "one", "7", BLOB],
      ["9", "one", "5", NONE],
      ["1", "one", "5", NONE],
      ["1", "one", "5", null],
    ],
  ])("say what they do not carry: %s", async (image, inserted, moved, updated, blobbed) => {
    await log.session.query(`set session binlog_row_image = ${image}`);
    const insert = "insert into t values (1, 'one', 7, 'blob'), (2, null, 7, null)";
    const events = await eventsOf([...CREATE, insert, ...CHANGES.slice(1)], { wholeBefore: false });
    await log.session.query("set session binlog_row_image = full");
    expect(events[0]).toEqual({ kind: "insert", after: inserted });
    expect(events.slice(2)).toEqual([
      { kind: "update", after: updated },
      { kind: "update", after: blobbed },
      { kind: "update", before: ["1", NONE, NONE, NONE], after: moved },
      { kind: "delete", before: ["9", NONE, NONE, NONE] },
    ]);
  });

  test("are refused where a new one lacks its default, and have NULL where that is all it may be", async () => {
    const created = [
      "drop table if exists d",
      `create table d (id int primary key, n int default 7, b blob, c text default ('x'), twice int as (n * 2) stored)`,
    ];
    await log.session.query("set session binlog_row_image = noblob");
    const noblob = await eventsOf([...created, "insert into d (id) values (1)"]);
    expect(noblob).toEqual([{ kind: "insert", after: ["1", "7", null, "x", "14"] }]);
    await log.session.query("set session binlog_row_image = minimal");
    const minimal = eventsOf([...created, "insert into d (id) values (1)"]);
    await expect(minimal).rejects.toMatchObject({
      code: "row-incomplete",
      message: expect.stringContaining("images.d.n out of a new row"),
    });
    await log.session.query("set session binlog_row_image = full");
  });

  test("of a table without a key carry their old rows whole", async () => {
    const events = await eventsOf(
      [
        "drop table if exists k",
        "create table k (a int, v text)",
        "insert into k values (1, null)",
        "update k set v = 'x'",
        "delete from k",
      ],
      { wholeBefore: false },
    );
    expect(events).toEqual([
      { kind: "insert", after: ["1", null] },
      { kind: "update", before: ["1", null], after: ["1", "x"] },
      { kind: "delete", before: ["1", "x"] },
    ]);
  });

  test("keep a NULL that only the old row carries", async () => {
    await log.session.query("set session binlog_row_image = minimal");
    const events = await eventsOf(
      [
        "drop table if exists k",
        "create table k (a int, v text)",
        "insert into k values (1, null)",
        "update k set a = 2",
      ],
      { wholeBefore: false },
    );
    await log.session.query("set session binlog_row_image = full");
    expect(events.at(-1)).toEqual({ kind: "update", before: ["1", null], after: ["2", null] });
  });

  test("of generated and invisible columns, and of keys that are a column's beginning, arrive", async () => {
    const created = [
      "drop table if exists g",
      "create table g (v varchar(20) character set utf8mb4 not null, n int, twice int generated always as (n * 2) stored, more int generated always as (n + 1) virtual, hidden int invisible default 5, primary key (v(3)))",
      "insert into g (v, n) values ('abcdef', 10)",
      "delete from g",
    ];
    expect(await eventsOf(created, { wholeBefore: false })).toEqual([
      { kind: "insert", after: ["abcdef", "10", "20", "11", "5"] },
      { kind: "delete", before: ["abcdef", NONE, NONE, NONE, NONE] },
    ]);
  });

  test("above maxRowBytes are refused, with their key", async () => {
    const insert = "insert into t (id, v, b) values (77, 'x', repeat('y', 20000))";
    await expect(eventsOf([...CREATE, insert], { maxRowBytes: 10_000 })).rejects.toMatchObject({
      code: "row-too-large",
      message: "the primary sends a row of images.t, key id=77, above 10000 bytes",
    });
    expect(await eventsOf([...CREATE, insert], { maxRowBytes: 20_100 })).toHaveLength(1);
    expect(await eventsOf([...CREATE, insert], { maxRowBytes: 10_000, includes: () => false })).toEqual([]);
  });

  test("that carry nothing are refused", async () => {
    await log.session.query("set session binlog_row_image = minimal");
    const events = eventsOf([
      "drop table if exists e",
      "create table e (a int default 1, b int default 2)",
      "insert into e () values ()",
    ]);
    if (log.flavour === "mysql") await expect(events).rejects.toMatchObject({ code: "row-incomplete" });
    else expect(await events).toEqual([{ kind: "insert", after: ["1", "2"] }]);
    await log.session.query("set session binlog_row_image = full");
  });
});

test("new rows of MariaDB have what they share with old ones from there", async () => {
  await using server = await startMysql("mariadb");
  await server.query("create database nodup");
  await using session = await openSession(server.url("nodup"));
  const file = await session.freshLog();
  await session.query(
    `set session binlog_row_image = full_nodup; create table t (id int primary key, n int, b blob);
     insert into t values (1, null, 'x'); update t set b = 'y'; update t set id = 2, b = null; delete from t`,
  );
  const events = await recordLog(server.url(), file);
  const { contents } = await decodeLog("mariadb", session, events, { wholeBefore: false });
  expect(contents.flatMap((content) => (content.kind === "rows" ? content.events : []))).toEqual([
    { kind: "insert", table: 0, after: ["1", null, "\\x78"] },
    { kind: "update", table: 0, after: ["1", null, "\\x79"] },
    { kind: "update", table: 0, before: ["1", NONE, NONE], after: ["2", null, null] },
    { kind: "delete", table: 0, before: ["2", NONE, NONE] },
  ]);
});

function withoutTable(event: ReplicationEvent): object {
  const { table, ...rest } = { table: 0, ...event };
  expect(table).toBeGreaterThanOrEqual(0);
  return rest;
}

import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { startMysql, type MysqlRelease } from "@lockstep/testkit";
import { decodeLog, openSession, recordLog } from "./recorded-log.fixture.ts";
import { recordedServer } from "./recorded-server.fixture.ts";

/* What the log says of the columns of the rows that follow. */

const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb", "mariadb-10.11"];

describe.each(RELEASES)("rows of %s", (release) => {
  const log = recordedServer(release, "defined");

  test("follow the table's definition through its changes", async () => {
    const file = await log.session.freshLog();
    for (const sql of [
      "drop table if exists a",
      "create table a (x int, id int, primary key (id))",
      "insert into a values (1, 2)",
      "alter table a add column first varchar(5) default 'é' first",
      "insert into a values ('v', 1, 3)",
      "alter table a drop column x, modify id bigint unsigned",
      "update a set first = 'w' where id = 3",
      "insert into a values ('z', 18446744073709551615)",
      "flush tables",
      "insert into a values ('s', 4)",
      "drop table a",
    ])
      await log.session.query(sql);
    const { contents, decoder } = await decodeLog(
      log.flavour,
      log.session,
      await recordLog(log.server.url(), file),
      {
        wholeBefore: false,
      },
    );
    const events = contents.flatMap((content) => (content.kind === "rows" ? content.events : []));
    expect(events).toEqual([
      { kind: "insert", table: 0, after: ["1", "2"] },
      { kind: "schema", table: 1 },
      { kind: "insert", table: 1, after: ["v", "1", "3"] },
      { kind: "schema", table: 2 },
      { kind: "update", table: 2, after: ["w", "3"] },
      { kind: "insert", table: 2, after: ["z", "18446744073709551615"] },
      { kind: "insert", table: 2, after: ["s", "4"] },
    ]);
    expect(
      [...decoder.tables.values()].map(({ columns }) =>
        columns.map((column) => `${column.name} ${column.nativeType}${column.isKey ? " key" : ""}`),
      ),
    ).toEqual([
      ["x int", "id int key"],
      ["first varchar(5)", "x int", "id int key"],
      ["first varchar(5)", "id bigint unsigned key"],
    ]);
  });

  test("are read by the newest definition that their table id has", async () => {
    const file = await log.session.freshLog();
    for (const sql of [
      "drop table if exists a",
      "create table a (id int primary key, v varchar(5))",
      "insert into a values (1, 'v')",
      "alter table a add column n int first",
      "insert into a values (7, 2, 'w')",
    ])
      await log.session.query(sql);
    const events = (await recordLog(log.server.url(), file)).map(withOneTableId);
    const { contents } = await decodeLog(log.flavour, log.session, events);
    expect(contents.flatMap((content) => (content.kind === "rows" ? content.events : []))).toEqual([
      { kind: "insert", table: 0, after: ["1", "v"] },
      { kind: "schema", table: 1 },
      { kind: "insert", table: 1, after: ["7", "2", "w"] },
    ]);
  });

  test("without the names of their columns are refused", async () => {
    await log.session.query(
      `set global binlog_row_metadata = ${log.flavour === "mysql" ? "minimal" : "no_log"}`,
    );
    const file = await log.session.freshLog();
    await log.session.query("create table named (id int primary key); insert into named values (1)");
    const events = decodeLog(log.flavour, log.session, await recordLog(log.server.url(), file));
    await expect(events).rejects.toMatchObject({
      code: "setup-incomplete",
      fix: expect.stringContaining("binlog_row_metadata = FULL") as unknown,
    });
    await log.session.query("set global binlog_row_metadata = full");
  });
});

test("a table of MariaDB in a form from before MySQL 5.6 is refused", async () => {
  await using server = await startMysql("mariadb", { settings: { "mysql56-temporal-format": "OFF" } });
  await server.query("create database old; create table old.t (id int, at datetime(3))");
  await using session = await openSession(server.url("old"));
  const insert = async (): Promise<Buffer[]> => {
    const file = await session.freshLog();
    await session.query("insert into t values (1, '2024-01-02 03:04:05.678')");
    return await recordLog(server.url(), file);
  };
  await expect(decodeLog("mariadb", session, await insert())).rejects.toMatchObject({
    code: "table-not-supported",
    message: "old.t has a TIME, DATETIME or TIMESTAMP column in the form from before MySQL 5.6",
  });
  await session.query("set global mysql56_temporal_format = on; alter table t force");
  const { contents } = await decodeLog("mariadb", session, await insert());
  const events = contents.flatMap((content) => (content.kind === "rows" ? content.events : []));
  expect(events).toEqual([{ kind: "insert", table: 0, after: ["1", "2024-01-02 03:04:05.678"] }]);
});

describe("a log of MySQL", () => {
  test("does not show the columns that indexes on expressions have", async () => {
    await using server = await startMysql("mysql");
    await server.query("create database hidden");
    await using session = await openSession(server.url("hidden"));
    const file = await session.freshLog();
    await session.query(
      `create table t (id int primary key, j json, index ((cast(j->'$.a' as unsigned array))), index ((id + 1)), last int);
       insert into t values (1, '{"a": [1, 2]}', 3)`,
    );
    const { contents } = await decodeLog("mysql", session, await recordLog(server.url(), file));
    const events = contents.flatMap((content) => (content.kind === "rows" ? content.events : []));
    expect(events).toEqual([{ kind: "insert", table: 0, after: ["1", '{"a": [1, 2]}', "3"] }]);
  });
});

/** As if a server that was started anew gave out a number again. */
function withOneTableId(event: Buffer): Buffer {
  if (![19, 23, 30].includes(event[4] ?? 0)) return event;
  const changed = Buffer.from(event);
  changed.writeUIntLE(1, 19, 6);
  changed.writeUInt32LE(crc32(changed.subarray(0, -4)), changed.length - 4);
  return changed;
}

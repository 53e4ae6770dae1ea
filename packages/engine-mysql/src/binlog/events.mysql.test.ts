import { describe, expect, test } from "vitest";
import { startMysql, type MysqlRelease } from "@lockstep/testkit";
import type { EventContent } from "./decoded-event.ts";
import { decodeLog, openSession, recordLog } from "./recorded-log.fixture.ts";
import { recordedServer } from "./recorded-server.fixture.ts";

const RELEASES: readonly MysqlRelease[] = ["mysql", "mariadb", "mariadb-10.11"];
const XID = "X'6774726964',X'6271',7";

describe.each(RELEASES)("the log of %s", (release) => {
  const log = recordedServer(release, "events", [
    "create table t (id int primary key, v text)",
    "create table m (id int) engine = myisam",
  ]);

  async function contentsOf(sql: readonly string[]): Promise<EventContent[]> {
    const file = await log.session.freshLog();
    for (const statement of sql) await log.session.query(statement);
    return (await decodeLog(log.flavour, log.session, await recordLog(log.server.url(), file))).contents;
  }

  /** What happened, in short; MariaDB has no BEGIN, its GTID says it. */
  function story(contents: readonly EventContent[]): string[] {
    return contents
      .filter(({ kind }) => kind !== "begin" && kind !== "rotate" && kind !== "format")
      .map((content) => {
        switch (content.kind) {
          case "rows":
            return `${content.events[0]?.kind} ${content.table.name}`;
          case "savepoint":
          case "rollback-to":
            return `${content.kind} ${content.name}`;
          case "xa":
            return `xa ${content.action} ${content.xid}`;
          case "xa-prepare":
            return `xa-prepare ${content.xid} ${content.isOnePhase}`;
          case "query":
            return content.sql;
          default:
            return content.kind;
        }
      });
  }

  test("begins with its file and its format", async () => {
    const [rotate, format] = await contentsOf([]);
    expect(rotate).toEqual({
      kind: "rotate",
      file: expect.stringMatching(/^binlog\.\d+$/) as unknown,
      position: 4n,
    });
    const [{ version = "" } = {}] = await log.server.query("select version() as version");
    expect(format).toMatchObject({ kind: "format", serverVersion: version });
  });

  test("tells transactions, savepoints and DDL apart", async () => {
    // With GTIDs MySQL does not let one transaction change tables of both kinds.
    const rolledBack = log.flavour === "mariadb" ? "insert into m values (1); rollback to `a``b`;" : "";
    const contents = await contentsOf([
      `begin; insert into t values (1, 'a'); savepoint \`a\`\`b\`; insert into t values (2, 'b'); ${rolledBack} commit`,
      "insert into m values (2)",
      "create table other (id int)",
      "truncate t",
    ]);
    const what = story(contents).filter((line) => line !== "gtid");
    expect(what).toEqual(
      expect.arrayContaining([
        "insert t",
        "savepoint a`b",
        "insert m",
        "xid",
        "commit",
        "create table other (id int)",
        "truncate t",
      ]),
    );
    expect(what.includes("rollback-to a`b")).toBe(log.flavour === "mariadb");
    expect(
      contents
        .filter(({ kind }) => kind === "query")
        .every((one) => one.kind === "query" && one.schema === "events"),
    ).toBe(true);
  });

  test("tells the steps of XA transactions", async () => {
    const named = `'gtrid','bq',7`;
    const contents = await contentsOf([
      `xa start ${named}; insert into t values (3, 'c'); xa end ${named}; xa prepare ${named}; xa commit ${named}`,
      `xa start ${named}; insert into t values (4, 'd'); xa end ${named}; xa commit ${named} one phase`,
      `xa start ${named}; insert into t values (5, 'e'); xa end ${named}; xa prepare ${named}; xa rollback ${named}`,
    ]);
    const lines = story(contents).filter((line) => line !== "gtid" && !line.startsWith("xa start"));
    expect(lines.slice(0, 4)).toEqual([
      "insert t",
      `xa end ${XID}`,
      `xa-prepare ${XID} false`,
      `xa commit ${XID}`,
    ]);
    expect(lines.slice(-4)).toEqual([
      "insert t",
      `xa end ${XID}`,
      `xa-prepare ${XID} false`,
      `xa rollback ${XID}`,
    ]);
  });

  test("names transactions as the server does", async () => {
    const position = log.flavour === "mysql" ? "@@global.gtid_executed" : "@@global.gtid_binlog_pos";
    const before = Date.now() * 1000 - 1_000_000;
    const contents = await contentsOf(["insert into t values (6, 'f')"]);
    const [{ last = "" } = {}] = await log.session.query(`select ${position} as last`);
    const gtids = contents.filter((content) => content.kind === "gtid");
    expect(gtids).toHaveLength(1);
    const [event] = gtids;
    const gtid = event?.gtid;
    if (gtid?.flavour === "mysql") {
      expect(last).toBe(`${gtid.source}:1-${gtid.number}`);
      expect(event?.committedAtUs).toBeGreaterThan(before);
      expect(event?.committedAtUs).toBeLessThan(Date.now() * 1000 + 1_000_000);
      expect(event?.transactionBytes).toBeGreaterThan(100);
    } else expect(last).toBe(`${gtid?.domainId}-${gtid?.serverId}-${gtid?.sequence}`);
    expect(event).toMatchObject({ isStandalone: false, xa: null });
  });

  test("is read on when checksums are turned off and on", async () => {
    const file = await log.session.freshLog();
    await log.session.query("insert into t values (7, 'with'); set global binlog_checksum = none");
    await log.session.query("insert into t values (8, 'without'); set global binlog_checksum = crc32");
    await log.session.query("insert into t values (9, 'with')");
    const { contents } = await decodeLog(log.flavour, log.session, await recordLog(log.server.url(), file));
    const values = contents.flatMap((content) => (content.kind === "rows" ? content.events : []));
    expect(values.map((event) => (event.kind === "insert" ? event.after : null))).toEqual([
      ["7", "with"],
      ["8", "without"],
      ["9", "with"],
    ]);
    const files = contents.filter((content) => content.kind === "rotate").map((content) => content.file);
    expect(new Set(files).size).toBe(3);
  });

  test("with a broken event is refused", async () => {
    const file = await log.session.freshLog();
    await log.session.query("insert into t values (10, 'whole')");
    const events = await recordLog(log.server.url(), file);
    const rows = events.find((event) => event.includes("whole"));
    rows?.write("WHOLE", rows.indexOf("whole"));
    await expect(decodeLog(log.flavour, log.session, events)).rejects.toMatchObject({
      code: "protocol-violation",
      message: expect.stringContaining("an event's checksum is wrong") as unknown,
    });
  });

  test("with LOAD DATA or rows as statements says so", async () => {
    await log.session.query("set session binlog_format = statement");
    const contents = await contentsOf(["insert into t values (11, 'statement')"]);
    await log.session.query("set session binlog_format = row");
    expect(story(contents)).toContain("insert into t values (11, 'statement')");
    expect(contents.some(({ kind }) => kind === "rows")).toBe(false);
  });

  test("has statements in the charset of who sent them", async () => {
    const contents = await contentsOf([
      "set names latin1",
      "create table `é` (v int)",
      "set names utf8mb4",
      "drop table `é`",
    ]);
    expect(story(contents).filter((line) => /table/i.test(line))).toEqual([
      expect.stringContaining("create table") as unknown,
      expect.stringMatching(/^DROP TABLE `é`/i) as unknown,
    ]);
  });
});

test("a tagged GTID has its tag and its time", async () => {
  await using server = await startMysql("mysql");
  await server.query("create database tagged; create table tagged.t (id int)");
  await using session = await openSession(server.url("tagged"));
  const file = await session.freshLog();
  await session.query(
    "set gtid_next = 'automatic:some_tag'; insert into t values (1); set gtid_next = automatic",
  );
  const { contents } = await decodeLog("mysql", session, await recordLog(server.url(), file));
  const [event] = contents.filter((content) => content.kind === "gtid");
  expect(event?.gtid).toMatchObject({ tag: "some_tag", number: 1n });
  const [{ id = "" } = {}] = await session.query("select @@server_uuid as id");
  expect(event?.gtid).toMatchObject({ flavour: "mysql", source: id });
  expect(Math.abs((event?.committedAtUs ?? 0) / 1000 - Date.now())).toBeLessThan(60_000);
  expect(event?.transactionBytes).toBeGreaterThan(100);
});

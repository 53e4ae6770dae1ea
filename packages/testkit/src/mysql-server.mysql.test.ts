import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMysql, type MysqlServer } from "./mysql-server.ts";
import { freshMysqlDatabase } from "./shared-mysql.ts";
import type { MysqlRelease } from "./mysql-program.ts";
import { queryMysql } from "./mysql-query.ts";

const RELEASES: readonly [MysqlRelease, RegExp][] = [
  ["mysql", /^9\./],
  ["mariadb", /^11\.\d+\.\d+-MariaDB/],
  ["mariadb-10.11", /^10\.11\.\d+-MariaDB/],
];

describe.each(RELEASES)("a server of its own: %s", (release, version) => {
  let server: MysqlServer;

  beforeAll(async () => {
    server = await startMysql(release);
    await server.query("create database bank");
    await server.query("create table bank.account (id int primary key)");
  });

  afterAll(async () => await server[Symbol.asyncDispose]());

  test("is that release, and logs what a pipeline reads", async () => {
    const [row] = await server.query(`select version() as version, @@log_bin as log_bin,
      @@binlog_format as format, @@binlog_row_metadata as metadata, @@binlog_row_image as image`);
    expect(row).toEqual({
      version: expect.stringMatching(version) as unknown,
      log_bin: "1",
      format: "ROW",
      metadata: "FULL",
      image: "FULL",
    });
  });

  test("has an identity of its own", async () => {
    await using other = await startMysql(release);
    const own = release === "mysql" ? "@@server_uuid" : "@@server_id";
    const ids = await Promise.all([server, other].map(async (one) => await one.query(`select ${own} as id`)));
    expect(ids[0]).not.toEqual(ids[1]);
  });

  test("keeps what it committed when it is killed, takes settings, and is stopped", async () => {
    await server.query("insert into bank.account values (1)");
    await server.kill();
    await expect(server.query("select 1")).rejects.toThrow(/ECONNREFUSED/);
    await server.start({ "sync-binlog": "0", "default-time-zone": "+05:30" });
    const [row] = await server.query(
      "select count(*) as n, @@sync_binlog as s, @@time_zone as z from bank.account",
    );
    expect(row).toEqual({ n: "1", s: "0", z: "+05:30" });
    await server.stop();
    await server.start();
    expect(await server.query("select @@sync_binlog as s")).toEqual([{ s: "1" }]);
  });

  test("tells its processor time", () => {
    expect(server.cpuSeconds()).toBeGreaterThan(0);
  });
});

test.each(["mysql", "mariadb"] as const)(
  "the run's server of %s gives a database to each test",
  async (flavour) => {
    const urls = [await freshMysqlDatabase(flavour), await freshMysqlDatabase(flavour)];
    for (const url of urls) {
      await queryMysql(url, "create table t (v bigint); insert into t values (9007199254740993)");
      expect(await queryMysql(url, "select v, version() like '%MariaDB%' as m from t")).toEqual([
        { v: "9007199254740993", m: flavour === "mariadb" ? "1" : "0" },
      ]);
    }
  },
);

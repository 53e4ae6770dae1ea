import { describe, expect, test } from "vitest";
import { createMysqlSink, MysqlSource } from "@lockstep/engine-mysql";
import {
  eventually,
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  startMysql,
  uniqueName,
} from "@lockstep/testkit";
import { removeFolder, temporaryFolder } from "@lockstep/testkit/servers";
import { runningPipeline } from "./running-pipeline.ts";

/* A primary whose log was begun anew, and went on under the ids that the topic has (A2). */

/** As a server that was restored from a backup of its first transactions. */
const RESTORE = {
  mysql: "reset binary logs and gtids; set global gtid_purged = concat(@@server_uuid, ':1-3')",
  mariadb: "reset master; set global gtid_slave_pos = concat('0-', @@server_id, '-3')",
};

describe.each(MYSQL_FLAVOURS)("a primary of %s", (flavour) => {
  test("that has another history under the same ids is found out when a run starts", async () => {
    await using server = await startMysql(flavour);
    const database = uniqueName("history");
    await server.query(`create database ${database}; create table ${database}.items (id int primary key)`);
    const url = server.url(database);
    const replica = await freshMysqlDatabase(flavour, "history");
    const folder = await temporaryFolder("history");
    const tables = { include: [`${database}.*`], exclude: [] };
    const common = { pipeline: "history", logger: silentLogger };
    const running = async (work: () => Promise<void>): Promise<void> => {
      const source = new MysqlSource({ ...common, url, tables, maxRowBytes: 1024 * 1024 });
      const sink = createMysqlSink({
        ...common,
        replica: "one",
        url: replica,
        dialect: flavour,
        onConflict: { kind: "halt" },
        existing: "refuse",
      });
      await runningPipeline({ name: "history", folder, source, sinks: [sink] }, work);
    };
    const insert = async (from: number, to: number, second: number): Promise<void> => {
      for (let id = from; id <= to; id++)
        await queryMysql(url, `set timestamp = ${1_700_000_000 + second}; insert into items values (${id})`);
    };
    const arrived = async (count: number): Promise<void> =>
      await eventually("the replica has them", async () => {
        const [row] = await queryMysql(replica, `select count(*) as n from ${database}.items`);
        expect(row).toEqual({ n: String(count) });
      });
    try {
      await running(async () => {
        await insert(1, 5, 0);
        await queryMysql(url, "xa start 'x'; insert into items values (6); xa end 'x'; xa prepare 'x'");
        await arrived(5);
      });
      // The session that prepared it lets go of it in its own time.
      await eventually("it is committed", async () => void (await queryMysql(url, "xa commit 'x'")));
      await running(async () => await arrived(6)); // It is the same history.
      await insert(7, 7, 0);
      await running(async () => await arrived(7)); // Also where what it tells again is of XA.
      await server.query(RESTORE[flavour]);
      await insert(101, 120, 7);
      await expect(running(async () => await arrived(27))).rejects.toMatchObject({
        code: "history-diverged",
      });
    } finally {
      removeFolder(folder);
      await queryMysql(replica, `drop database ${database}`);
    }
  });
});

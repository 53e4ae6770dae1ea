import { describe, expect, test } from "vitest";
import { createMysqlSink, MysqlSource } from "@lockstep/engine-mysql";
import {
  eventually,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  startMysql,
  uniqueName,
} from "@lockstep/testkit";
import { removeFolder, temporaryFolder, type MysqlServer } from "@lockstep/testkit/servers";
import { runningPipeline } from "./running-pipeline.ts";

/* A database that is dropped, and its tables' rows on a replica. */

/** More than what a run reads again. */
const MANY = 1_100;

describe.each(MYSQL_FLAVOURS)("a database of %s that is dropped", (flavour) => {
  test("and made again only for yet another run: replicas have its tables as they are", async () => {
    await using scene = await sceneOf(flavour);
    const { primary, running, expectAnswer } = scene;
    const fill = async (): Promise<void> => {
      await primary.query(Array.from({ length: MANY }, () => "insert into aside.x values (1)").join("; "));
    };
    await fill();
    await running(async () => {
      const sql = "select state, count(*) as n from lockstep.tables group by state";
      await expectAnswer(sql, [{ state: "live", n: "2" }]);
    });
    await primary.query("drop database shop; create database shop");
    await fill();
    await running(
      async () => await expectAnswer("select count(*) as n from aside.x", [{ n: String(2 * MANY) }]),
    );
    await primary.query(
      "create table shop.items (id int primary key); insert into shop.items values (2), (3)",
    );
    await running(
      async () => await expectAnswer("select id from shop.items order by id", [{ id: "2" }, { id: "3" }]),
    );
  });

  test("while a replica is copied is no matter for the other tables", async () => {
    await using scene = await sceneOf(flavour);
    const { primary, running, expectAnswer } = scene;
    await primary.query("insert into aside.x values (1)");
    await running(async () => {
      await expectAnswer("select count(*) as n from aside.x", [{ n: "1" }]);
      await primary.query("drop database shop; insert into aside.x values (2)");
      await expectAnswer("select count(*) as n from aside.x", [{ n: "2" }]);
    });
  });
});

interface Scene extends AsyncDisposable {
  readonly primary: MysqlServer;
  /** During the work. */
  readonly running: (work: () => Promise<void>) => Promise<void>;
  /** What a statement is to answer on the replica. */
  readonly expectAnswer: (sql: string, rows: readonly object[]) => Promise<void>;
}

async function sceneOf(flavour: "mysql" | "mariadb"): Promise<Scene> {
  const primary = await startMysql(flavour, { settings: { "sync-binlog": "0" } });
  const replica = await startMysql(flavour);
  const pipeline = uniqueName("dropped");
  const folder = await temporaryFolder("dropped");
  await primary.query("create database shop; create table shop.items (id int primary key)");
  await primary.query("create database aside; create table aside.x (id int)");
  await primary.query("insert into shop.items values (1), (2)");
  const common = { pipeline, logger: silentLogger };
  const running = async (work: () => Promise<void>): Promise<void> => {
    const tables = { include: ["*.*"], exclude: [] };
    const source = new MysqlSource({ ...common, url: primary.url(), tables, maxRowBytes: 1024 * 1024 });
    const sink = createMysqlSink({
      ...common,
      replica: "replica",
      url: replica.url(),
      dialect: flavour,
      onConflict: { kind: "halt" },
      existing: "refuse",
    });
    await runningPipeline({ name: pipeline, folder, source, sinks: [sink] }, work);
  };
  return {
    primary,
    running,
    expectAnswer: async (sql, rows) => {
      await eventually(`${sql} answers`, async () => {
        expect(await queryMysql(replica.url(), sql)).toEqual(rows);
      });
    },
    [Symbol.asyncDispose]: async () => {
      removeFolder(folder);
      await replica[Symbol.asyncDispose]();
      await primary[Symbol.asyncDispose]();
    },
  };
}

import { describe, expect, test } from "vitest";
import { position, type TableFilter } from "@lockstep/core";
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

/* Which tables are carried, changed between runs. */

const ALL = { include: ["*.*"], exclude: [] };
/** How far a server has written. */
const WRITTEN = {
  mysql: "select replace(@@global.gtid_executed, '\\n', '') as at",
  mariadb: "select @@global.gtid_binlog_pos as at",
};
const WITHOUT_ASIDE = { include: ["*.*"], exclude: ["aside.*"] };

describe.each(MYSQL_FLAVOURS)("tables of %s", (flavour) => {
  test("that are left out and taken in again are copied anew, and nothing of the others is read twice", async () => {
    await using scene = await sceneOf(flavour);
    const { primary, running, expectAnswer } = scene;
    const items = "select id from shop.items order by id";
    const aside = "select id from aside.x order by id";
    await primary.query("insert into aside.x values (1)");
    await running(ALL, async () => {
      await expectAnswer(aside, [{ id: "1" }]);
      await expectAnswer(items, [{ id: "1" }, { id: "2" }]);
      await primary.query("insert into aside.x values (2); insert into shop.items values (3)");
      await expectAnswer(items, [{ id: "1" }, { id: "2" }, { id: "3" }]);
    });
    await primary.query("delete from aside.x where id = 1");
    await running(WITHOUT_ASIDE, async () => {
      await primary.query("insert into aside.x values (4); insert into shop.items values (4)");
      await expectAnswer(items, [{ id: "1" }, { id: "2" }, { id: "3" }, { id: "4" }]);
    });
    await running(ALL, async () => {
      await primary.query("insert into aside.x values (5); insert into shop.items values (5)");
      await expectAnswer(aside, [{ id: "2" }, { id: "4" }, { id: "5" }]);
      await expectAnswer(items, [{ id: "1" }, { id: "2" }, { id: "3" }, { id: "4" }, { id: "5" }]);
    });
    await running(ALL, async () => {
      await primary.query("delete from aside.x where id = 4");
      await expectAnswer(aside, [{ id: "2" }, { id: "5" }]);
    });
  });

  test("that were left out while a replica was away, are not taken for what it has", async () => {
    await using scene = await sceneOf(flavour);
    const { primary, running, expectAnswer } = scene;
    const aside = "select id from aside.x order by id";
    await primary.query("insert into aside.x values (1)");
    await running(ALL, async () => await expectAnswer(aside, [{ id: "1" }]));
    await scene.runningAlone(WITHOUT_ASIDE, async (published) => {
      await primary.query("delete from aside.x; insert into shop.items values (3)");
      await published();
    });
    await running(ALL, async () => {
      await primary.query("insert into aside.x values (2)");
      await expectAnswer(aside, [{ id: "2" }]);
      await expectAnswer("select id from shop.items order by id", [{ id: "1" }, { id: "2" }, { id: "3" }]);
    });
  });
});

interface Scene extends AsyncDisposable {
  readonly primary: MysqlServer;
  /** During the work. */
  readonly running: (tables: TableFilter, work: () => Promise<void>) => Promise<void>;
  /** The same without the replica; its function resolves when everything that the primary has is published. */
  readonly runningAlone: (
    tables: TableFilter,
    work: (published: () => Promise<void>) => Promise<void>,
  ) => Promise<void>;
  /** What a statement is to answer on the replica. */
  readonly expectAnswer: (sql: string, rows: readonly object[]) => Promise<void>;
}

async function sceneOf(flavour: "mysql" | "mariadb"): Promise<Scene> {
  const primary = await startMysql(flavour, { settings: { "sync-binlog": "0" } });
  const replica = await startMysql(flavour);
  const pipeline = uniqueName("tables");
  const folder = await temporaryFolder("tables");
  await primary.query("create database shop; create table shop.items (id int primary key)");
  await primary.query("create database aside; create table aside.x (id int)");
  await primary.query("insert into shop.items values (1), (2)");
  const common = { pipeline, logger: silentLogger };
  const sourceOf = (tables: TableFilter): MysqlSource =>
    new MysqlSource({ ...common, url: primary.url(), tables, maxRowBytes: 1024 * 1024 });
  const sink = createMysqlSink({
    ...common,
    replica: "replica",
    url: replica.url(),
    dialect: flavour,
    onConflict: { kind: "halt" },
    existing: "refuse",
  });
  const running = async (tables: TableFilter, work: () => Promise<void>): Promise<void> =>
    await runningPipeline({ name: pipeline, folder, source: sourceOf(tables), sinks: [sink] }, work);
  return {
    primary,
    running,
    runningAlone: async (tables, work) => {
      const source = sourceOf(tables);
      await runningPipeline({ name: pipeline, folder, source, sinks: [] }, async (alone) => {
        await work(async () => {
          const [row] = await primary.query<{ at: string }>(WRITTEN[flavour]);
          await alone.waitFor(position(row?.at ?? ""), { signal: AbortSignal.timeout(30_000) });
        });
      });
    },
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

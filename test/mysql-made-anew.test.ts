import { describe, expect, test } from "vitest";
import { Renaming, renamedSink } from "@lockstep/core";
import { createMysqlSink, MysqlSource } from "@lockstep/engine-mysql";
import { createPostgresSink } from "@lockstep/engine-postgres";
import {
  eventually,
  freshDatabase,
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  uniqueName,
} from "@lockstep/testkit";
import { removeFolder, temporaryFolder } from "@lockstep/testkit/servers";
import { executeOn } from "./places.ts";
import { runningPipeline } from "./running-pipeline.ts";

/* Statements after which a table has other rows, and the log does not say which: it is copied anew. */

const TABLES = `
  create table parts (id int primary key, v varchar(20)) partition by range (id)
    (partition p0 values less than (10), partition p1 values less than (20), partition p2 values less than (30));
  create table side (id int primary key, v varchar(20));
  create table items (id int primary key, v varchar(20));
  create table still (id int primary key, v varchar(20));
  insert into parts values (1, 'one'), (11, 'eleven'), (21, 'twenty-one');
  insert into side values (22, 'beside'), (23, 'too');
  insert into items values (1, 'first'), (2, 'second')`;

const MANY =
  "create table many as with recursive n as (select 1 as id union all select id + 1 from n where id < 200) select id from n";
const OF_MANY =
  "table items (id int primary key, v varchar(40)) as select a.id * 200 + b.id as id, repeat('v', 20) as v from many a, many b";
/** In one transaction that is larger than a record. */
const MADE_OF_MANY = {
  mysql: [MANY, "drop table items", `create ${OF_MANY}`],
  mariadb: [MANY, `create or replace ${OF_MANY}`],
} as const;

describe.each(MYSQL_FLAVOURS)("on a primary of %s", (flavour) => {
  test("tables whose rows change unsaid, or that are made anew under their names, are copied anew", async () => {
    const primary = await freshMysqlDatabase(flavour, "anew");
    const replica =
      flavour === "mysql" ? await freshMysqlDatabase("mariadb", "anew") : await freshDatabase(1, "anew");
    const pipeline = uniqueName("anew");
    const folder = await temporaryFolder("anew");
    const change = async (...statements: readonly string[]): Promise<void> => {
      for (const sql of statements) await queryMysql(primary, sql);
    };
    const expectEqual = async (...tables: readonly string[]): Promise<void> => {
      for (const table of [...tables, "still"]) {
        const sql = `select id, v from ${table} order by id`;
        const expected = (await queryMysql(primary, sql)).map((row) => `${row["id"]} ${row["v"]}`);
        await eventually(`${table} is the same`, async () => {
          const rows = (await executeOn(replica, sql)).map(
            (row) => `${String(row["id"])} ${String(row["v"])}`,
          );
          expect(rows).toEqual(expected);
        });
      }
    };
    const running = async (work: () => Promise<void>): Promise<void> => {
      const sinks = [sinkOf(primary, replica, pipeline, flavour)];
      await runningPipeline({ name: pipeline, folder, source: sourceOf(primary, pipeline), sinks }, work);
    };
    try {
      await change(TABLES);
      await running(async () => {
        await expectEqual("parts", "side", "items");
        await change("insert into parts values (2, 'two')", "alter table parts truncate partition p0");
        await expectEqual("parts");
        await change(
          "insert into parts values (3, 'three')",
          "alter table parts exchange partition p2 with table side",
          "insert into still values (1, 'goes on')",
        );
        await expectEqual("parts", "side");
        // Of tables that no replica has nothing is asked.
        await change("create table aside (id int) engine = MyISAM", "drop table if exists aside, none");
        await change("drop table items", "create table items (id int primary key, v varchar(20))");
        await change("insert into items values (2, 'anew')", "alter table parts drop partition p1");
        await expectEqual("items", "parts");
        await change(...MADE_OF_MANY[flavour]);
        await expectEqual("items");
        await change("update items set v = 'followed' where id = 5");
        await expectEqual("items");
      });
      await change(
        "rename table items to items_old, side to items",
        "insert into items values (5, 'renamed')",
        "alter table parts truncate partition p0",
        "insert into still values (2, 'goes on')",
      );
      await running(async () => {
        await expectEqual("items", "items_old", "parts");
        await change("update items set v = 'followed' where id = 5", "insert into parts values (4, 'four')");
        await expectEqual("items", "parts");
      });
    } finally {
      removeFolder(folder);
    }
  });
});

function sourceOf(url: string, pipeline: string): MysqlSource {
  const tables = { include: [`${schemaOf(url)}.*`], exclude: [] };
  return new MysqlSource({ url, pipeline, tables, maxRowBytes: 1024 * 1024, logger: silentLogger });
}

function sinkOf(
  primary: string,
  url: string,
  pipeline: string,
  dialect: "mysql" | "mariadb",
): ReturnType<typeof renamedSink> {
  const options = {
    replica: new URL(url).protocol,
    url,
    pipeline,
    dialect,
    onConflict: { kind: "halt" },
    existing: "refuse",
    logger: silentLogger,
  } as const;
  return url.startsWith("postgres")
    ? renamedSink(createPostgresSink(options), new Renaming(schemaOf(primary), "public"))
    : renamedSink(createMysqlSink(options), new Renaming(schemaOf(primary), schemaOf(url)));
}

function schemaOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

import { describe, expect, test } from "vitest";
import { Renaming, renamedSink, type Sink } from "@lockstep/core";
import { MysqlSource } from "@lockstep/engine-mysql";
import { createPostgresSink } from "@lockstep/engine-postgres";
import {
  eventually,
  execute,
  freshDatabase,
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  silentLogger,
  uniqueName,
  type MysqlFlavour,
} from "@lockstep/testkit";
import { mysqlCorpus } from "./type-matrix/corpus-mysql.fixture.ts";
import { runMatrix, type MatrixReplica, type Place } from "./type-matrix/runner.fixture.ts";

/* Primary, replica and this process are each in another time zone. */
process.env["TZ"] = "America/New_York";
const READING = "set time_zone = '+00:00', sql_mode = ''";

interface Pair {
  readonly pipeline: string;
  readonly primary: Place & { readonly url: string };
  readonly source: MysqlSource;
  readonly replica: MatrixReplica & { readonly url: string };
}

async function pairOf(flavour: MysqlFlavour): Promise<Pair> {
  const [own, url] = [await freshMysqlDatabase(flavour, "matrix"), await freshDatabase(1, "matrix")];
  const database = new URL(own).pathname.slice(1);
  await execute(url, `alter database ${new URL(url).pathname.slice(1)} set timezone to 'Europe/Berlin'`);
  const pipeline = uniqueName("matrix");
  const tables = { include: [`${database}.*`], exclude: [] };
  return {
    pipeline,
    primary: {
      engine: flavour,
      url: own,
      query: async (sql) => {
        const results: unknown = await queryMysql(own, `${READING}; ${sql}`);
        return lastRows(results);
      },
    },
    source: new MysqlSource({
      url: own,
      pipeline,
      tables,
      maxRowBytes: 16 * 1024 * 1024,
      logger: silentLogger,
    }),
    replica: {
      engine: "postgres",
      url,
      query: async (sql) => await execute<Record<string, string | null>>(url, sql),
      sink: sinkOf({ url, pipeline, flavour, database }),
    },
  };
}

function sinkOf(of: {
  readonly url: string;
  readonly pipeline: string;
  readonly flavour: MysqlFlavour;
  readonly database: string;
}): Sink {
  const { url, pipeline, flavour, database } = of;
  const sink = createPostgresSink({
    replica: "r",
    url,
    pipeline,
    dialect: flavour,
    onConflict: { kind: "halt" },
    existing: "refuse",
    logger: silentLogger,
  });
  return renamedSink(sink, new Renaming(database, "public"));
}

/** Of several statements, those of the last. */
function lastRows(results: unknown): Record<string, string | null>[] {
  const last: unknown = Array.isArray(results) ? results.at(-1) : [];
  return Array.isArray(last) ? last.filter((row) => typeof row === "object") : [];
}

describe.each(MYSQL_FLAVOURS)("from %s to PostgreSQL", (flavour) => {
  test("every value of every type arrives as it is, by a copy and by the stream", async () => {
    const pair = await pairOf(flavour);
    await runMatrix({ ...pair, replicas: [pair.replica], cases: mysqlCorpus(flavour) }, async () => {
      await eventually("", async () => expect(await pair.replica.query("select 1")).toHaveLength(1));
    });
  });
});

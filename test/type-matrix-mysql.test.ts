import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Renaming, renamedSink, type Sink, type Source } from "@lockstep/core";
import { createMysqlSink, MysqlSource } from "@lockstep/engine-mysql";
import { createPostgresSource } from "@lockstep/engine-postgres";
import {
  execute,
  freshDatabase,
  MYSQL_FLAVOURS,
  silentLogger,
  queryMysql,
  startMysql,
  uniqueName,
  type MysqlFlavour,
  type MysqlServer,
} from "@lockstep/testkit";
import { POSTGRES_TYPES, postgresCases, REFUSED } from "./type-matrix/corpus-postgres.fixture.ts";
import { createKeyed, expectHalt, expectKeys, literal } from "./type-matrix/keyed-mysql.fixture.ts";
import { createOwn, expectOwn, likeThere } from "./type-matrix/own-mysql.fixture.ts";
import { runMatrix, type MatrixReplica, type Place } from "./type-matrix/runner.fixture.ts";
import type { Engine } from "./type-matrix/type-case.fixture.ts";

/* MySQL and MariaDB as replicas of other engines: what of every type's values arrives. Everybody's clock is another's. */

const SEED = Date.now() % 1_000_000;
const [REFUSED_TYPE, REFUSED_VALUE] = REFUSED[SEED % REFUSED.length] ?? ["date", "infinity"];
const READING = "set time_zone = '+00:00', sql_mode = 'NO_AUTO_VALUE_ON_ZERO'";
const ZONES = { mysql: "+05:30", mariadb: "-03:00" };
const servers = new Map<MysqlFlavour, MysqlServer>();

beforeAll(async () => {
  process.env["TZ"] = "Australia/Lord_Howe";
  for (const flavour of MYSQL_FLAVOURS) {
    const settings = { "default-time-zone": ZONES[flavour] };
    servers.set(flavour, await startMysql(flavour, { settings }));
  }
});

afterAll(async () => {
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
});

function serverOf(flavour: MysqlFlavour): MysqlServer {
  const server = servers.get(flavour);
  if (server === undefined) throw new TypeError(`no ${flavour}`);
  return server;
}

/** Every value as the server's own text; moments in UTC. */
function postgresPlace(url: string): Place {
  return {
    engine: "postgres",
    query: async (sql) => {
      const client = new Client({
        connectionString: url,
        types: { getTypeParser: () => (text: string) => text },
      });
      await client.connect();
      try {
        await client.query("set timezone = 'UTC'");
        const result = await client.query<Record<string, string | null>>(sql);
        return result.rows ?? [];
      } finally {
        await client.end();
      }
    },
  };
}

function postgresSource(url: string, pipeline: string): Source {
  return createPostgresSource({
    url,
    pipeline,
    tables: { include: ["public.*"], exclude: [] },
    maxRowBytes: 16 * 1024 * 1024,
    degradeAfterMs: null,
    logger: silentLogger,
  });
}

function mysqlPlace(flavour: MysqlFlavour, database: string): Place {
  return {
    engine: flavour,
    query: async (sql) => lastRows(await queryMysql(serverOf(flavour).url(database), `${READING}; ${sql}`)),
  };
}

/** Of several statements, those of the last. */
function lastRows(results: unknown): Record<string, string | null>[] {
  const last: unknown = Array.isArray(results) ? results.at(-1) : [];
  return Array.isArray(last) ? last.filter((row) => typeof row === "object") : [];
}

function replicaOf(
  flavour: MysqlFlavour,
  from: { readonly pipeline: string; readonly dialect: Engine; readonly schema: string },
): MatrixReplica {
  const database = uniqueName("matrix");
  const sink: Sink = createMysqlSink({
    replica: flavour,
    url: serverOf(flavour).url(),
    pipeline: from.pipeline,
    dialect: from.dialect,
    onConflict: { kind: "halt" },
    existing: "refuse",
    logger: silentLogger,
  });
  return { ...mysqlPlace(flavour, database), sink: renamedSink(sink, new Renaming(from.schema, database)) };
}

describe(`values (seed ${SEED})`, () => {
  test("of PostgreSQL arrive in MySQL and MariaDB as they are, or halt them by name", async () => {
    const url = await freshDatabase(0, "matrix");
    await execute(url, `alter database ${new URL(url).pathname.slice(1)} set timezone = 'America/New_York'`);
    await execute(url, POSTGRES_TYPES);
    const pipeline = uniqueName("matrix");
    const primary = postgresPlace(url);
    const source = postgresSource(url, pipeline);
    const replicas = MYSQL_FLAVOURS.map((flavour) =>
      replicaOf(flavour, { pipeline, dialect: "postgres", schema: "public" }),
    );
    await createKeyed(primary, REFUSED_TYPE);
    const matrix = { pipeline, primary, source, replicas, cases: postgresCases(SEED) };
    await runMatrix(matrix, async (running) => {
      await expectKeys(running, primary, replicas);
      await expectHalt(running, { primary, replicas, value: REFUSED_VALUE });
    });
    expect(new Date("2024-01-01T00:00:00Z").getTimezoneOffset()).toBe(-660);
  });

  test("of PostgreSQL that they do not hold halt their copy by name", async () => {
    const url = await freshDatabase(0, "matrix");
    const pipeline = uniqueName("matrix");
    const replica = replicaOf(SEED % 2 === 0 ? "mysql" : "mariadb", {
      pipeline,
      dialect: "postgres",
      schema: "public",
    });
    const refused = {
      pipeline,
      primary: postgresPlace(url),
      source: postgresSource(url, pipeline),
      replicas: [replica],
      cases: [{ type: REFUSED_TYPE, values: [`${literal(REFUSED_VALUE)}::${REFUSED_TYPE}`] }],
    };
    await expect(runMatrix(refused)).rejects.toMatchObject({
      code: "copy-refused",
      message: expect.stringContaining("column c0") as unknown,
    });
    expect(await replica.query("select id from family0 where c0 is not null")).toEqual([]);
  });

  test.each([
    ["mysql", "mariadb"],
    ["mariadb", "mysql"],
  ] as const)("of %s arrive in %s as they are", async (flavour, other) => {
    const database = uniqueName("matrix");
    const server = serverOf(flavour);
    await server.query(`create database ${database} character set utf8mb4`);
    const pipeline = uniqueName("matrix");
    const source = new MysqlSource({
      url: server.url(database),
      pipeline,
      tables: { include: [`${database}.*`], exclude: [] },
      maxRowBytes: 16 * 1024 * 1024,
      logger: silentLogger,
    });
    const primary = mysqlPlace(flavour, database);
    const replicas = [replicaOf(other, { pipeline, dialect: flavour, schema: database })];
    await createOwn(primary);
    const matrix = { pipeline, primary, source, replicas, cases: likeThere(flavour) };
    await runMatrix(matrix, async (running) => await expectOwn(running, primary, replicas));
  });
});

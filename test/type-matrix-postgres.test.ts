import { describe, expect, test } from "vitest";
import { Renaming, renamedSink, type Sink } from "@lockstep/core";
import { MysqlSource } from "@lockstep/engine-mysql";
import { createPostgresSink } from "@lockstep/engine-postgres";
import type { Pipeline } from "@lockstep/pipeline";
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
import { removeFolder, temporaryFolder } from "@lockstep/testkit/servers";
import { runningPipeline } from "./running-pipeline.ts";
import { mysqlCorpus } from "./type-matrix/corpus-mysql.fixture.ts";
import { runMatrix, type MatrixReplica, type Place } from "./type-matrix/runner.fixture.ts";
import type { TypeCase } from "./type-matrix/type-case.fixture.ts";

/* Primary, replica and this process are each in another time zone. */
process.env["TZ"] = "America/New_York";
const READING = "set time_zone = '+00:00', sql_mode = ''";

interface Pair {
  readonly pipeline: string;
  readonly primary: Place;
  readonly source: MysqlSource;
  readonly replica: MatrixReplica;
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
      query: async (sql) => lastRows(await queryMysql(own, `${READING}; ${sql}`)),
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

/** Types that MySQL takes as a whole key. */
const isKey = ({ type }: TypeCase): boolean =>
  !/text|blob|json|geometry|point|vector|compressed|varchar\(4000\)|float/.test(type) &&
  !/\(3\)|decimal\((?!5,|65,30)|bit\((?!9|64)|zerofill|latin1|utf16/.test(type);

/** So many types in one key. */
const KEY_COLUMNS = 8;
const KEY_ROWS = 8;

/** Rows that are found by keys of every type; and by all that they hold, of every type at once. */
class FoundRows {
  readonly #pair: Pair;
  readonly #keys: TypeCase[][] = [];
  readonly #all: readonly TypeCase[];

  constructor(pair: Pair, cases: readonly TypeCase[]) {
    this.#pair = pair;
    const keyed = cases.filter(isKey);
    for (let at = 0; at < keyed.length; at += KEY_COLUMNS) this.#keys.push(keyed.slice(at, at + KEY_COLUMNS));
    this.#all = cases.filter(({ type }) => !type.includes("varchar(4000)"));
  }

  async create(): Promise<void> {
    const keyed = this.#keys.map((types, at) => {
      const columns = types.map(({ type }, index) => `c${index} ${type} not null`).join(", ");
      const names = types.map((_, index) => `c${index}`).join(", ");
      return `create table keyed${at} (n int, m int, ${columns}, primary key (n, ${names}))`;
    });
    const columns = this.#all.map(({ type }, at) => `c${at} ${type} null`);
    await this.#pair.primary.query(
      [...keyed, `create table keyless (n int, ${columns.join(", ")})`].join("; "),
    );
  }

  async change(): Promise<void> {
    const statements = this.#keys.flatMap((types, at) => {
      const rows = Array.from({ length: KEY_ROWS }, (_, row) => {
        const values = types.map((one) => one.values[row % one.values.length]);
        return `(${row}, ${row}, ${values.join(", ")})`;
      });
      return [
        `insert into keyed${at} values ${rows.join(", ")}`,
        `update keyed${at} set m = m + 100`,
        `delete from keyed${at} where n in (1, 6)`,
        `update keyed${at} set n = n + 10 where n < 3`,
      ];
    });
    const rows = [0, 1, 2].map(
      (n) => `(${[n, ...this.#all.map(({ values }) => values[n] ?? "null")].join(", ")})`,
    );
    const keyless = [
      `insert into keyless values ${[...rows, ...rows].join(", ")}`,
      "update keyless set n = n + 10",
      "delete from keyless where n = 11 limit 1",
    ];
    await this.#pair.primary.query([...statements, ...keyless].join("; "));
  }

  async expectEqual(): Promise<void> {
    const { primary, replica } = this.#pair;
    const counted = [
      ...this.#keys.map(
        (_, at) => `select 'keyed${at}' as t, count(*) as n, sum(n * 1000 + m) as s from keyed${at}`,
      ),
      "select 'keyless', count(*), sum(n) from keyless",
    ].join(" union all ");
    const sums = async (place: Place): Promise<unknown> =>
      (await place.query(`${counted} order by 1`)).map(({ t, n, s }) => [t, Number(n), Number(s)]);
    const expected = await sums(primary);
    expect(expected).toHaveLength(this.#keys.length + 1);
    expect(this.#keys.length).toBeGreaterThan(3);
    expect(await sums(replica)).toEqual(expected);
  }
}

describe.each(MYSQL_FLAVOURS)("from %s to PostgreSQL", (flavour) => {
  test("every value of every type arrives as it is, by a copy and by the stream, and finds its row", async () => {
    const pair = await pairOf(flavour);
    const cases = mysqlCorpus(flavour);
    const found = new FoundRows(pair, cases);
    await found.create();
    await pair.primary.query(
      "create table kept (id int primary key, n int, t text, b blob, d json, at timestamp(6) null); insert into kept values (1, 1, 'é', 0xff00, '[1]', '2024-03-31 01:30:00')",
    );
    await runMatrix({ ...pair, replicas: [pair.replica], cases }, async () => {
      await found.change();
      const images = ["minimal", "noblob", "full"].map(
        (image, at) => `set binlog_row_image = '${image}'; update kept set n = n + 1 where id = 1;
          insert into kept (id, n, t, b, d, at) values (${at + 2}, null, '${image}', null, null, null); update kept set id = id + 10 where id = ${at + 2}`,
      );
      await pair.primary.query(`${images.join("; ")}; insert into marker values (2)`);
      await eventually("all has arrived", async () =>
        expect(await pair.replica.query("select from marker")).toHaveLength(2),
      );
      await found.expectEqual();
      const kept =
        "select id, n, t, b::text, d::text, (at at time zone 'UTC')::text as at from kept order by id";
      const empty = { n: null, b: null, d: null, at: null };
      expect(await pair.replica.query(kept)).toEqual([
        { id: 1, n: 4, t: "é", b: "\\xff00", d: "[1]", at: "2024-03-31 01:30:00" },
        { id: 12, t: "minimal", ...empty },
        { id: 13, t: "noblob", ...empty },
        { id: 14, t: "full", ...empty },
      ]);
    });
  });

  test("what PostgreSQL has not halts the replica by name, and goes on once its column takes it", async () => {
    const { pipeline: name, primary, replica, source } = await pairOf(flavour);
    const folder = await temporaryFolder("matrix");
    const running = { name, folder, source, sinks: [replica.sink] };
    const days = "(id int primary key, day date, word varchar(9))";
    await primary.query(
      `create table copied ${days}; create table streamed ${days}; insert into copied values (7, '2020-05-00', 'a')`,
    );
    const refusedAs = async (pipeline: Pipeline, code: string, message: RegExp): Promise<void> =>
      await eventually(`it says ${code}`, async () => {
        const error = {
          code,
          message: expect.stringMatching(message),
          fix: expect.stringContaining("docs/types.md"),
        };
        expect(await Promise.resolve(pipeline.status.replicas["r"])).toMatchObject({ error });
      });
    const nowText = (table: string): string =>
      `alter table ${table} alter column day type text using day::text`;
    try {
      await runningPipeline(running, async (pipeline) => {
        await refusedAs(
          pipeline,
          "copy-refused",
          / \(there public\.copied\), key id=7: column day: a date with a/,
        );
        await replica.query(nowText("copied")); // Its copy is tried again by itself.
        await eventually("it follows", async () =>
          expect(await Promise.resolve(pipeline.status.replicas["r"]?.state)).toBe("following"),
        );
        await primary.query(
          "insert into streamed values (1, '2024-02-29', 'a'), (2, '0000-00-00', 'b'), (3, '2020-05-00', 'c')",
        );
        await refusedAs(
          pipeline,
          "apply-refused",
          / \(there "public"\."streamed"\), key id=2, .*column day: a date with a/,
        );
        expect(await replica.query("select from streamed")).toEqual([]);
      });
      await replica.query(nowText("streamed"));
      await runningPipeline(running, async () => {
        await eventually("it goes on", async () =>
          expect(await replica.query("select id, day, word from streamed order by id")).toEqual([
            { id: 1, day: "2024-02-29", word: "a" },
            { id: 2, day: "0000-00-00", word: "b" },
            { id: 3, day: "2020-05-00", word: "c" },
          ]),
        );
      });
      expect(await replica.query("select day from copied")).toEqual([{ day: "2020-05-00" }]);
    } finally {
      removeFolder(folder);
    }
  });
});

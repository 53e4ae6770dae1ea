import { inject, describe, expect, test } from "vitest";
import type { Snapshot, TableName } from "@lockstep/core";
import { MYSQL_FLAVOURS, queryMysql, silentLogger, startMysql, uniqueName } from "@lockstep/testkit";
import { typeCases } from "../../binlog/type-cases.fixture.ts";
import { openSnapshot } from "../../snapshot/snapshot.ts";
import { MARK } from "../copied.fixture.ts";
import { never, progressAt } from "../replica.fixture.ts";
import { createMysqlSink } from "../sink.ts";

const COLUMNS = 6;
/** Tables that are cut into ranges by other keys than one whole number. */
const KEYED = [
  {
    columns: "a varchar(40) charset latin1 collate latin1_swedish_ci",
    key: "a",
    values: "concat(char(64 + n % 60), 'ä''\\\\', n)",
  },
  { columns: "a varchar(40) charset utf8mb4", key: "a", values: "concat(if(n % 2, 'É', '𝄞 '), n)" },
  { columns: "a varbinary(40)", key: "a", values: "unhex(left(sha2(n, 256), 32))" },
  { columns: "b int, a bigint unsigned", key: "a, b", values: "n, 18446744073709551615 - n % 7" },
  {
    columns: "a datetime(3)",
    key: "a",
    values: "timestamp '2024-01-01 00:00:00' + interval n * 7001 second",
  },
] as const;
const NO_LOADS = { "local-infile": "OFF" };
const LIMITS = { rangeBytes: 20_000, waitsForAll: false };
/** As a primary may be, which takes whatever its users give it. */
const LENIENT = "set time_zone = '+00:00', sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'";

/** Decimals within documents, which only functions of MySQL's make: read as text, they are the nearest doubles. */
const DECIMALS_IN_JSON = /12\.34|99999999999999999999\.5/;

/** Copies tables of a view into the replica at `url`, as one pipeline's first copy; completes them. */
async function copyInto(url: string, snapshot: Snapshot, tables: readonly TableName[]): Promise<number> {
  const sink = createMysqlSink({
    replica: "r",
    url,
    pipeline: uniqueName("values"),
    onConflict: { kind: "primary_wins" },
    existing: "refuse",
    logger: silentLogger,
  });
  await using session = await sink.claim("owner", true, never());
  await session.beginCopy(progressAt(0), tables, never());
  await using target = await sink.openCopy("owner", never());
  await target.endFormer(never());
  await target.prepare(snapshot.schema, snapshot.tables, never());
  let count = 0;
  for (const table of snapshot.tables) {
    const copy = await target.begin(table, never());
    const written = table.ranges.map(
      async (range) => await copy.write(() => snapshot.read(range, copy.format, never())),
    );
    for (const rows of await Promise.all(written)) count += rows;
    await snapshot.verify(table, never());
    await copy.finish(MARK, never());
  }
  await session.endCopy(progressAt(3), never());
  await session.completeTables(snapshot.schema, tables, never());
  expect(session.tables.map(({ state }) => state.kind)).toEqual(tables.map(() => "live"));
  return count;
}

/** What the servers themselves say that tables hold, whatever we think of it. */
async function sumsOf(url: string, tables: readonly TableName[]): Promise<unknown[]> {
  const sums: unknown[] = [];
  for (const { schema, name } of tables) {
    const table = [schema, name].map((part) => `\`${part.replaceAll("`", "``")}\``).join(".");
    const [sum] = await queryMysql(url, `checksum table ${table} extended`);
    const [create] = await queryMysql(url, `show create table ${table}`);
    // A load may take more numbers than it has rows.
    const definition = (create?.["Create Table"] ?? "").replace(/ AUTO_INCREMENT=\d+/, "");
    // MySQL's documents know more types than their text, which is what a document means.
    const isJson = definition.includes("`v` json");
    const rows = await queryMysql(
      url,
      `select ${isJson ? "id, left(cast(v as char), 80) as begins, sha2(cast(v as char), 256) as digest" : "count(*) as n"} from ${table} order by 1`,
    );
    sums.push([name, isJson ? null : sum?.["Checksum"], rows, definition]);
  }
  return sums;
}

interface Values {
  readonly ddl: string;
  readonly values: readonly string[];
}

/** Some types a table, since making one takes a server long; documents and long texts alone. */
function tablesOf(cases: readonly Values[]): Values[][] {
  const isAlone = ({ ddl }: Values): boolean => /json|\d{4}/.test(ddl);
  const tables = cases.filter(isAlone).map((one) => [one]);
  const others = cases.filter((one) => !isAlone(one));
  for (let at = 0; at < others.length; at += COLUMNS) tables.push(others.slice(at, at + COLUMNS));
  return tables;
}

/** Each of the values, and NULL. */
function rowsOf(columns: readonly Values[]): number {
  return Math.max(...columns.map(({ values }) => values.length)) + 1;
}

describe.each(MYSQL_FLAVOURS)("what is copied into %s", (flavour) => {
  test("is what the primary holds: values of every type, nulls, tables without rows or key", async () => {
    await using server = await startMysql(flavour); // Its moments without changes are nobody else's affair.
    // As these servers are by default: the one takes statements, the other is loaded.
    await using strict = flavour === "mysql" ? await startMysql(flavour, { settings: NO_LOADS }) : null;
    const replica = strict === null ? inject("mysqlUrls")[flavour] : strict.url("mysql");
    const schema = uniqueName("made"); // The replica has no such database.
    await server.query(`create database ${schema}`);
    const url = server.url(schema);
    // An enum's '' is the mark of what a lenient primary took for no label; a strict server takes it from nobody. And
    // no server tells a definition's characters outside of the first plane.
    const cases = typeCases(flavour).map(({ ddl, type, values }) => ({
      ddl: type === "enum" ? ddl.replace("😀", "") : ddl,
      values: values.filter(
        (value) => (type !== "enum" || value !== "''") && (type !== "json" || !DECIMALS_IN_JSON.test(value)),
      ),
    }));
    const made = tablesOf(cases);
    for (const [index, columns] of made.entries()) {
      const names = columns
        .map(({ ddl }, at) => `${columns.length === 1 ? "v" : `v${at}`} ${ddl}`)
        .join(", ");
      const rows = Array.from({ length: rowsOf(columns) }, (_, id) =>
        [id, ...columns.map(({ values }) => values[id] ?? "null")].join(", "),
      );
      await queryMysql(
        url,
        `${LENIENT}; create table t${index} (id int primary key auto_increment, ${names}); insert into t${index} values (${rows.join("), (")})`,
      );
    }
    await queryMysql(
      url,
      `${LENIENT};
       create table none (id int primary key);
       create table keyless (a int, b varchar(9)); insert into keyless values (1, 'x'), (1, 'x'), (null, null);
       create table \`od\`\`d "name'\` (\`a b\` int, \`c\`\`d\` varchar(9), twice int as (\`a b\` * 2) stored, hidden int as (1) virtual,
         primary key (\`a b\`, \`c\`\`d\`)) comment 'it''s';
       insert into \`od\`\`d "name'\` (\`a b\`, \`c\`\`d\`) values (1, 'é'), (2, '');
       create table parents (id int primary key); insert into parents values (1);
       create table children (id int primary key auto_increment, parent int, foreign key (parent) references parents (id));
       insert into children values (0, 1), (7, 1);
       create table wide (id bigint primary key, v varchar(200));
       insert into wide with recursive n (n) as (select 1 union all select n + 1 from n where n < 900)
         select n * 1000000007, repeat('x', n % 200) from n;
       ${KEYED.map(
         (
           key,
           index,
         ) => `create table keyed${index} (${key.columns}, v varchar(200), primary key (${key.key}));
           insert into keyed${index} with recursive n (n) as (select 1 union all select n + 1 from n where n < 900)
             select ${key.values}, repeat('x', n % 200) from n; analyze table keyed${index};`,
       ).join("")}
       analyze table wide`,
    );
    const names = await queryMysql(
      url,
      `select table_name as name from information_schema.tables where table_schema = '${schema}' order by table_name`,
    );
    const tables = names.map(({ name }) => ({ schema, name: name ?? "" }));
    expect(tables.length).toBe(made.length + KEYED.length + 6);
    await using snapshot = await openSnapshot({ url }, tables, LIMITS, never());
    const wide = snapshot.tables.find(({ table }) => table.name === "wide");
    expect(wide?.ranges.length).toBeGreaterThan(1);
    for (const { table, ranges } of snapshot.tables)
      if (table.name.startsWith("keyed")) expect([table.name, ranges.length > 2]).toEqual([table.name, true]);
    const count = await copyInto(replica, snapshot, tables);
    expect(count).toBe(
      made.reduce((sum, columns) => sum + rowsOf(columns), 0) + 3 + 2 + 1 + 2 + 900 * (KEYED.length + 1),
    );
    expect(await sumsOf(replica, tables)).toEqual(await sumsOf(url, tables));
    // The next number is a new one, as on the primary.
    await queryMysql(replica, `insert into ${schema}.children (parent) values (1)`);
    expect(await queryMysql(replica, `select id from ${schema}.children order by id`)).toEqual([
      { id: "0" },
      { id: "7" },
      { id: "8" },
    ]);
    await expect(queryMysql(replica, `insert into ${schema}.children (parent) values (2)`)).rejects.toThrow(
      /foreign key/i,
    );
  });
});

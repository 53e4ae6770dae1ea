import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMysql, type MysqlServer } from "@lockstep/testkit";
import { decodeLog, openSession, recordLog, type Session } from "./recorded-log.fixture.ts";

/** What makes documents long enough for a part to be shorter. */
const PAD = "x".repeat(2_000);
const FIRST = JSON.stringify({
  a: 1,
  bb: [1, 2.5, { c: null, "a.b": "q" }, [], {}],
  "": 0,
  "é\"'": { k: "v, : {[" },
  pad: PAD,
});

/** What is done to the document `j`, one update each. */
const CHANGES: readonly string[] = [
  "json_set(j, '$.a', 2)",
  "json_set(j, '$.a', cast('12.50' as decimal(10, 2)))",
  "json_set(j, '$.zz', 'new, \"quoted\" é😀', '$.c', true, '$.\"with space\"', cast('[1, {\"z\": 1, \"y\": 2}]' as json))",
  "json_set(j, '$.bb[0]', 'first', '$.bb[20]', 'last')",
  "json_set(j, '$.bb[last]', 1e300)",
  "json_set(j, '$.bb[2].c', timestamp'2024-01-02 03:04:05.6', '$.bb[2].\"a.b\"', json_object('d', 1))",
  "json_set(j, '$.bb[2].\"a.b\".d', 1.0)",
  "json_remove(j, '$.bb[1]', '$.bb[last]')",
  "json_remove(j, '$.zz', '$.\"with space\"[1].z')",
  "json_replace(j, '$.\"é\\\\\"\\'\".k', null, '$.nothing', 1)",
  "json_set(j, '$.\"\"', json_array(), '$.\"\"[0]', 'in it')",
  "json_set(j, '$.\"__proto__\"', 1, '$.\"10\"', 2, '$.\"9\"', 3)",
  "json_remove(j, '$.\"__proto__\"')",
  "json_set(j, '$.a', 7), n = null",
  "json_set(j, '$.a', 7), n = 8",
  "json_set(j, '$.a[0]', 8, '$.a[1]', 9)",
];

describe("parts of JSON documents", () => {
  let server: MysqlServer;
  let session: Session;

  beforeAll(async () => {
    server = await startMysql("mysql");
    await server.query(
      "create database parts; create table parts.t (id int primary key, j json, n int, k json, l json)",
    );
    session = await openSession(server.url("parts"));
    await session.query("set session binlog_row_value_options = 'PARTIAL_JSON'");
    await session.query(`insert into t values (1, ${quoted(FIRST)}, 5, '{"b": ["${PAD}"]}', null)`);
  });

  afterAll(async () => {
    await session[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test("make the document that the server has", async () => {
    const file = await session.freshLog();
    const expected: (string | null | undefined)[][] = [];
    for (const change of CHANGES) {
      await session.query(`update t set j = ${change}, k = json_set(k, '$.b[1]', ${expected.length})`);
      const [row] = await session.query("select id, j, n, k, l from t");
      expected.push([row?.["id"], row?.["j"], row?.["n"], row?.["k"], row?.["l"]]);
    }
    const log = await recordLog(server.url(), file);
    // The test is of parts: most of them are.
    expect(log.filter((event) => event[4] === 39).length).toBeGreaterThan(CHANGES.length - 4);
    const { contents } = await decodeLog("mysql", session, log, { wholeBefore: false });
    const events = contents.flatMap((content) => (content.kind === "rows" ? content.events : []));
    expect(events.map((event) => (event.kind === "update" ? event.after : event.kind))).toEqual(expected);
  });

  test("are refused where the log lacks the document before", async () => {
    const file = await session.freshLog();
    await session.query(
      "set session binlog_row_image = minimal; update t set j = json_set(j, '$.a', 'minimal'); set session binlog_row_image = full",
    );
    const log = await recordLog(server.url(), file);
    await expect(decodeLog("mysql", session, log)).rejects.toMatchObject({
      code: "row-incomplete",
      message: expect.stringContaining("parts.t.j"),
    });
    await expect(decodeLog("mysql", session, log, { includes: () => false })).resolves.toBeDefined();
  });
});

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

import { describe, expect, test } from "vitest";
import { decodeLog, recordLog } from "./recorded-log.fixture.ts";
import { recordedServer } from "./recorded-server.fixture.ts";

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
  const log = recordedServer("mysql", "parts", [
    "create table t (id int primary key, j json, n int, k json, l json)",
    "set session binlog_row_value_options = 'PARTIAL_JSON'",
    `insert into t values (1, ${quoted(FIRST)}, 5, '{"b": ["${PAD}"]}', null)`,
  ]);

  test("make the document that the server has", async () => {
    const file = await log.session.freshLog();
    const expected: (string | null | undefined)[][] = [];
    for (const change of CHANGES) {
      await log.session.query(`update t set j = ${change}, k = json_set(k, '$.b[1]', ${expected.length})`);
      const [row] = await log.session.query("select id, j, n, k, l from t");
      expected.push([row?.["id"], row?.["j"], row?.["n"], row?.["k"], row?.["l"]]);
    }
    const recorded = await recordLog(log.server.url(), file);
    // The test is of parts: most of them are.
    expect(recorded.filter((event) => event[4] === 39).length).toBeGreaterThan(CHANGES.length - 4);
    const { contents } = await decodeLog("mysql", log.session, recorded, { wholeBefore: false });
    const events = contents.flatMap((content) => (content.kind === "rows" ? content.events : []));
    expect(events.map((event) => (event.kind === "update" ? event.after : event.kind))).toEqual(expected);
  });

  test("are refused where the log lacks the document before", async () => {
    const file = await log.session.freshLog();
    await log.session.query(
      "set session binlog_row_image = minimal; update t set j = json_set(j, '$.a', 'minimal'); set session binlog_row_image = full",
    );
    const recorded = await recordLog(log.server.url(), file);
    await expect(decodeLog("mysql", log.session, recorded)).rejects.toMatchObject({
      code: "row-incomplete",
      message: expect.stringContaining("parts.t.j"),
    });
    await expect(decodeLog("mysql", log.session, recorded, { includes: () => false })).resolves.toBeDefined();
  });
});

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

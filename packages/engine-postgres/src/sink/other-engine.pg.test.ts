import { expect, test } from "vitest";
import type { LogicalType, Row } from "@lockstep/core";
import { execute } from "@lockstep/testkit";
import { column, insert, tableOf } from "./other-engine.fixture.ts";
import { never, Replica, windowOf } from "./replica.fixture.ts";

/* A primary of another engine: its values by what they mean. */

const foreign = async (sql: string): Promise<Replica> =>
  await Replica.create(sql, { kind: "halt" }, undefined, "mysql");
const linesOf = async (url: string): Promise<unknown[]> =>
  (await execute<{ line: string }>(url, "select g::text as line from goods g order by 1")).map(
    ({ line }) => line,
  );

test("columns of other types take the same values, in bulk and one by one", async () => {
  await using replica = await foreign(
    `create type mood as enum ('sad', 'ok');
     create table goods (id bigint primary key, price numeric(12,4), flag boolean, how mood, doc jsonb, ratio float8,
                         day text, at timestamptz(3), more int default 7)`,
  );
  const table = tableOf(
    column("id", "uint64", true),
    column("price", "decimal"),
    column("flag", "int16"),
    column("how", "enum"),
    column("doc", "json"),
    column("ratio", "float32"),
    column("day", "date"),
    column("at", "timestamptz"),
  );
  const row = (id: string): Row => [
    id,
    "1.5",
    "1",
    "ok",
    '{"a": 1.0}',
    "0.1",
    "0000-00-00",
    "2024-02-29 01:02:03.120000+00",
  ];
  await replica.apply([insert(...row("1")), insert(...row("2"))], { table });
  await replica.apply([insert(...row("3"))], { table, isOrdered: true });
  await replica.apply([insert(...row("9223372036854775807"))], { table });
  const update = { kind: "update", table: 0, after: ["1", 0, "0", 0, 0, 0, 0, 0] } as const;
  await replica.apply([update, { kind: "delete", table: 0, before: row("2") }], { table });
  const rest = ',"2024-02-29 01:02:03.12+00",7)';
  await execute(
    replica.url,
    `alter database ${new URL(replica.url).pathname.slice(1)} set timezone to 'UTC'`,
  );
  expect(await linesOf(replica.url)).toEqual([
    `(1,1.5000,f,ok,"{""a"": 1.0}",0.10000000149011612,0000-00-00${rest}`,
    `(3,1.5000,t,ok,"{""a"": 1.0}",0.10000000149011612,0000-00-00${rest}`,
    `(9223372036854775807,1.5000,t,ok,"{""a"": 1.0}",0.10000000149011612,0000-00-00${rest}`,
  ]);
});

test.each<[string, LogicalType, string]>([
  ["numeric(10,2)", "decimal", "1.505"], // Would be rounded.
  ["varchar(3)", "string", "abc "], // Would lose its space.
  ["timestamp(3)", "timestamp", "2024-02-29 00:00:00.0005"], // Would be rounded.
  ["date", "date", "0000-00-00"],
  ["bigint", "uint64", "9223372036854775808"],
  ["text", "string", "a\0b"],
])(
  "into %s, a %s that it would not keep halts by name, in whichever way it comes",
  async (type, logical, value) => {
    await using replica = await foreign(`create table goods (id int primary key, v ${type})`);
    const table = tableOf(column("id", "int32", true), column("v", logical));
    const refused = {
      code: "apply-refused",
      message: expect.stringMatching(
        /replica r refuses a change of "public"."goods", key id=7, .*column v: /s,
      ),
      fix: expect.stringContaining("docs/types.md"),
    };
    for (const options of [{ table }, { table, isOrdered: true }]) {
      const failure = await replica
        .apply([insert("6", null), insert("7", value)], options)
        .catch((error: unknown) => error);
      expect(failure).toMatchObject(refused);
      expect(String(failure)).not.toContain(value);
      expect(await linesOf(replica.url)).toEqual([]);
    }
    const large = await replica.session.openTransaction(never());
    await large.apply(windowOf([insert("6", null)], 9, { table }), never());
    await expect(large.apply(windowOf([insert("7", value)], 9, { table }), never())).rejects.toMatchObject(
      refused,
    );
    expect(await linesOf(replica.url)).toEqual([]);
  },
);

test.each<[string, LogicalType]>([
  ["numeric(3,-2)", "int32"],
  ["smallint", "int32"],
  ["char(9)", "string"],
  ["real", "float64"],
  ["timestamp", "timestamptz"],
  ["interval day to hour", "time"],
])("a column that would change values is refused by name: %s for %s", async (type, logical) => {
  await using replica = await foreign(`create table goods (id int primary key, v ${type})`);
  const table = tableOf(column("id", "int32", true), column("v", logical));
  await expect(replica.apply([insert("1", null)], { table })).rejects.toMatchObject({
    code: "schema-mismatch",
    message: expect.stringContaining("column v is "),
    fix: expect.stringMatching(/alter column "v" type … to one that does: .*text/),
  });
});

test("rows without a key are told apart by what they hold, whatever scale a number has here", async () => {
  await using replica = await foreign("create table goods (n numeric(12,6), f float8, d json, t varchar(9))");
  const table = tableOf(
    column("n", "decimal"),
    column("f", "float64"),
    column("d", "json"),
    column("t", "string"),
  );
  const rows: readonly Row[] = [
    ["1.5", "0", "[1]", "a"],
    ["1.5", "-0", "[1]", "a"],
    ["1.5", "-0", "[1.0]", "a"],
    [null, null, null, null],
  ];
  await replica.apply(
    rows.map((row) => insert(...row)),
    { table },
  );
  const removed = [rows[1], rows[2], rows[3]].map(
    (before = []) => ({ kind: "delete", table: 0, before }) as const,
  );
  await replica.apply(removed, { table });
  expect(await linesOf(replica.url)).toEqual(["(1.500000,0,[1],a)"]);
});

import { beforeAll, describe, expect, test } from "vitest";
import { tableKey, type CommonColumn, type CommonTable } from "@lockstep/core";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql } from "@lockstep/testkit";
import { arrivalOf } from "./arrival.ts";
import { creationOf, type Creation } from "./creation.ts";

const column = (name: string, some: Partial<CommonColumn> = {}): CommonColumn => ({
  name,
  type: "string",
  nativeType: "text",
  maxLength: null,
  precision: null,
  scale: null,
  labels: null,
  isNullable: true,
  collation: null,
  definition: "int",
  isIdentity: false,
  default: null,
  ...some,
});
const key = (name: string, some: Partial<CommonColumn> = {}): CommonColumn =>
  column(name, { isNullable: false, ...some });
const table = (
  name: string,
  columns: readonly CommonColumn[],
  some: Partial<CommonTable> = {},
): CommonTable => ({
  schema: "s",
  name,
  columns,
  primaryKey: null,
  uniques: [],
  indexes: [],
  foreignKeys: [],
  collations: [],
  leftOut: [],
  ...some,
});
const id = key("id", { type: "int32", nativeType: "integer" });
const foreignKey = (name: string, columns: string[], parent: string, referencedColumns: string[]) => ({
  name,
  columns,
  references: { schema: "s", name: parent },
  referencedColumns,
  onDelete: "cascade" as const,
  onUpdate: "no action" as const,
});

describe.each(MYSQL_FLAVOURS)("a table of another engine on %s", (flavour) => {
  let url: string;
  beforeAll(async () => (url = await freshMysqlDatabase(flavour, "created")));

  /** Creates them, and says what was made of each. */
  async function created(...tables: readonly CommonTable[]): Promise<Creation[]> {
    const schema = new URL(url).pathname.slice(1);
    const there = tables.map((one) => ({
      ...one,
      schema,
      foreignKeys: one.foreignKeys.map((fk) => ({ ...fk, references: { ...fk.references, schema } })),
    }));
    const together = new Map(there.map((one) => [tableKey(one), one]));
    const place = { flavour, version: [11, 8, 0] as const, dialect: "postgres" as const, together };
    const made = there.map((one) => creationOf(one, place));
    for (const { withForeignKeys, refused } of made)
      if (refused === null) await queryMysql(url, `set foreign_key_checks = 0; ${withForeignKeys}`);
    return made;
  }

  test("has texts as long as its keys and its rows let them be", async () => {
    const [keyed, wide] = await created(
      table(
        "keyed",
        [
          key("a"),
          key("b"),
          key("c", { maxLength: 20 }),
          column("u", { maxLength: 1_000 }),
          column("free"),
          column("bin", { type: "bytes", nativeType: "bytea" }),
        ],
        {
          primaryKey: ["a", "b", "c"],
          uniques: [
            { name: "primary", columns: ["u"], descending: [] },
            { name: "v", columns: ["bin"], descending: [] },
          ],
          indexes: [
            { name: "i", columns: ["free"], descending: [] },
            { name: "j", columns: ["free", "c", "bin"], descending: [] },
          ],
        },
      ),
      table(
        "wide",
        [id, ...Array.from({ length: 40 }, (_, at) => column(`c${at}`, { maxLength: 400 + at }))],
        { primaryKey: ["id"] },
      ),
    );
    expect(Object.fromEntries(keyed?.types ?? [])).toEqual({
      a: "varchar(374)",
      b: "varchar(374)",
      c: "varchar(20)",
      u: "varchar(768)",
      free: "longtext",
      bin: "varbinary(3072)",
    });
    expect([...(keyed?.shortened ?? [])]).toEqual([
      ["a", 374],
      ["b", 374],
      ["u", 768],
      ["bin", 3072],
    ]);
    expect(keyed?.leftOut).toEqual([]);
    const widened = [...(wide?.types ?? [])].filter(([, type]) => type === "longtext");
    expect(widened.length).toBeGreaterThan(0);
    expect(widened.at(0)?.[0]).toBe("c" + String(40 - widened.length));
    expect(
      await queryMysql(url, "show index from keyed where key_name = 'i' and sub_part = 768"),
    ).toHaveLength(1);
  });

  test("has the order of its indexes, of what is too long, too", async () => {
    const number = key("n", { type: "int64", nativeType: "bigint", isIdentity: true });
    const index = (
      name: string,
      columns: string[],
      descending: string[],
    ): CommonTable["indexes"][number] => ({
      name,
      columns,
      descending,
    });
    await created(
      table("sorted", [number, column("free"), column("word", { maxLength: 9 })], {
        uniques: [index("u", ["n"], ["n"])],
        indexes: [index("i", ["free", "word"], ["free"]), index("j", ["word"], [])],
      }),
    );
    await queryMysql(url, "insert into sorted (word) values ('a'), ('b')");
    expect(await queryMysql(url, "select n from sorted order by n")).toEqual([{ n: "1" }, { n: "2" }]);
    const rows = await queryMysql(
      url,
      `select index_name as i, column_name as c, collation as o from information_schema.statistics
        where table_schema = database() and table_name = 'sorted' order by index_name, seq_in_index`,
    );
    expect(rows.map(({ i, c, o }) => [i, c, o])).toEqual([
      ["i", "free", "D"],
      ["i", "word", "A"],
      ["j", "word", "A"],
      ["u", "n", "D"],
    ]);
  });

  test("has as many columns as a page has room for, and with more it is refused", async () => {
    const primaryKey = ["id"];
    const of = (name: string, count: number, some: Partial<CommonColumn>): CommonTable =>
      table(name, [id, ...Array.from({ length: count }, (_, at) => column(`c${at}`, some))], { primaryKey });
    const numeric = { type: "decimal", nativeType: "numeric(60,20)", precision: 60, scale: 20 } as const;
    const texts = flavour === "mysql" ? 197 : 383;
    const fitting = [
      of("texts", texts, {}),
      of("short", texts, { maxLength: 50 }),
      of("numbers", 298, numeric),
      of("longs", 997, { type: "int64", nativeType: "bigint" }),
      of("some", 41, { maxLength: 50 }),
    ];
    expect((await created(...fitting)).map(({ refused }) => refused)).toEqual(fitting.map(() => null));
    const tooMany = [
      of("texts_", texts + 1, {}),
      of("short_", texts + 1, { maxLength: 50 }),
      of("numbers_", 299, numeric),
      of("longs_", 998, { type: "int64", nativeType: "bigint" }),
    ];
    for (const { refused } of await created(...tooMany)) expect(refused).toMatch(/has no room in a page$/);
  });

  test("has its defaults, its one column that counts, and the foreign keys that can be", async () => {
    const value = (text: string): Partial<CommonColumn> => ({ default: { kind: "value", text } });
    const [, children] = await created(
      table("parents", [key("code"), id], {
        primaryKey: ["code"],
        uniques: [{ name: "u", columns: ["id"], descending: [] }],
      }),
      table(
        "children",
        [
          key("n", { type: "int64", nativeType: "bigint", isIdentity: true }),
          key("m", { type: "int32", nativeType: "integer", isIdentity: true }),
          column("code"),
          column("other", { type: "int64", nativeType: "bigint" }),
          column("body", value("it's \\ 😀")),
          column("doc", { type: "json", nativeType: "jsonb", ...value('{"a": 1}') }),
          column("day", { type: "date", nativeType: "date", ...value("infinity") }),
          column("today", { type: "date", nativeType: "date", default: { kind: "now" } }),
          column("at", { type: "timestamp", nativeType: "timestamp", scale: 3, default: { kind: "now" } }),
          column("flag", { type: "boolean", nativeType: "boolean", ...value("t") }),
          column("raw", { type: "bytes", nativeType: "bytea", ...value("\\x00ff") }),
        ],
        {
          primaryKey: ["n"],
          indexes: [{ name: "d", columns: ["doc"], descending: [] }],
          foreignKeys: [
            foreignKey("f", ["code"], "parents", ["code"]),
            foreignKey("g", ["other"], "parents", ["id"]),
            foreignKey("h", ["m"], "gone", ["id"]),
          ],
          leftOut: ["check (n > 0)"],
        },
      ),
    );
    await queryMysql(
      url,
      "insert into parents values ('x', 1); insert into children (m, code) values (5, 'x')",
    );
    const [row] = await queryMysql(
      url,
      "select n, m, body, doc, day, flag, hex(raw) as raw, at is null as late from children",
    );
    expect(row).toEqual({
      n: "1",
      m: "5",
      body: "it's \\ 😀",
      doc: '{"a": 1}',
      day: null,
      flag: "1",
      raw: "00FF",
      late: "0",
    });
    // Also where a session reads texts otherwise.
    await queryMysql(
      url,
      "flush tables; set sql_mode = 'NO_BACKSLASH_ESCAPES'; insert into children (m) values (7)",
    );
    expect(await queryMysql(url, "select body from children where m = 7")).toEqual([{ body: "it's \\ 😀" }]);
    await expect(queryMysql(url, "insert into children (m, code) values (6, 'y')")).rejects.toThrow(
      /foreign key/i,
    );
    const schema = new URL(url).pathname.slice(1);
    expect(children?.leftOut).toEqual([
      "check (n > 0)",
      "numbers for column `m` by itself",
      "default of column `day`: infinity",
      "default of column `today`: now",
      ...(flavour === "mysql" ? ["index `d` (`doc`)"] : []),
      `foreign key \`g\` to ${schema}.parents: its columns are of other types`,
      `foreign key \`h\` to ${schema}.gone: the table is not replicated`,
    ]);
  });

  test("that cannot be is refused before any data moves, with the reason and what to do", () => {
    const place = {
      flavour,
      version: [11, 8, 0] as const,
      dialect: "postgres" as const,
      together: new Map<string, CommonTable>(),
    };
    const said = (one: CommonTable): string =>
      arrivalOf(one, place, "r")
        .findings.map(({ level, what }) => `${level}: ${what}`)
        .join("\n");
    expect(said(table("t", [id, column("ID")]))).toMatch(
      /^error: table s\.t cannot be created on replica r: columns called id differ/,
    );
    expect(said(table("t", [column("a ")]))).toMatch(/^error: .*"a " cannot be a name/);
    expect(said(table("t", [column("𝄞")]))).toMatch(/^error: .*cannot be a name/);
    expect(said(table("n".repeat(65), [id]))).toMatch(/^error: .*cannot be a name/);
    const many = Array.from({ length: 17 }, (_, at) => key(`c${at}`));
    expect(said(table("t", many, { primaryKey: many.map(({ name }) => name) }))).toMatch(
      /^error: .*16 columns at most/,
    );
    expect(
      said(
        table(
          "t",
          Array.from({ length: 1_018 }, (_, at) => column(`c${at}`)),
        ),
      ),
    ).toMatch(/^error: .*1017 columns/);
    const long = [
      key("a", { type: "decimal", nativeType: "numeric(9,2)", precision: 9, scale: 2 }),
      ...many.slice(0, 15),
    ];
    expect(said(table("t", long, { primaryKey: long.map(({ name }) => name) }))).toMatch(
      /^warning: .*s\.t\.c0 that is longer than 50/,
    );
    const day = table(
      "t",
      [
        id,
        column("day", { type: "date", nativeType: "date" }),
        column("f", { type: "float64", nativeType: "float8" }),
      ],
      { leftOut: ["check (id > 0)"] },
    );
    expect(said(day).split("\n")).toEqual([
      "warning: table s.t is created on replica r without: check (id > 0)",
      expect.stringMatching(/^info: replica r halts where s\.t has in day: .*infinity/),
      expect.stringMatching(/^info: replica r halts where s\.t has in f: NaN/),
      ...(flavour === "mariadb" ? [expect.stringMatching(/^info: replica r keeps 0 for -0, .*: f$/)] : []),
    ]);
  });
});

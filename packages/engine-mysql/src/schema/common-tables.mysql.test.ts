import { describe, expect, test } from "vitest";
import type { CommonTable } from "@lockstep/core";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql } from "@lockstep/testkit";
import { connect } from "../connection.ts";
import { readCommonTables } from "./common-tables.ts";

async function commonOf(url: string, names: readonly string[]): Promise<CommonTable[]> {
  await using connected = await connect({ url }, new AbortController().signal);
  const tables = names.map((name) => ({ schema: databaseOf(url), name }));
  return await readCommonTables(connected.session, connected.server.flavour, tables);
}

/** As every row of the catalog has it. */
function databaseOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

describe.each(MYSQL_FLAVOURS)("a table of %s in common words", (flavour) => {
  const isMysql = flavour === "mysql";

  test("has its columns with their defaults, and by name what is left out", async () => {
    const url = await freshMysqlDatabase(flavour, "common");
    await queryMysql(url, factsOf(isMysql));
    const [table] = await commonOf(url, ["facts"]);
    const said = new Map(
      table?.columns.map(({ name, default: value, ...column }) => [name, { value, ...column }]),
    );
    expect(
      Object.fromEntries(
        [...said].map(([name, { value }]) => [
          name,
          value?.kind === "value" ? value.text : (value?.kind ?? null),
        ]),
      ),
    ).toEqual({
      id: null,
      name: 'it\'s \\ "é"',
      code: null,
      blank: "",
      word: "NULL",
      price: "1.5000",
      padded: "7",
      small: "-3",
      ratio: "-0.25",
      part: "1e+10",
      flags: "00101",
      born: "2001",
      made: "now",
      at: "2024-02-29 01:02:03.500000",
      day: "0000-00-00",
      late: "-838:59:59.00",
      since: "0000-00-00 00:00:00",
      noon: null,
      kind: "c",
      kinds: "x,y",
      raw: null,
      body: null,
      doc: null,
      sum: null,
      ...(isMysql ? { twice: null, thrice: null } : {}),
      unseen: null,
    });
    const sizes = {
      maxLength: null,
      precision: null,
      scale: null,
      labels: null,
      isNullable: true,
      isIdentity: false,
    };
    expect(said.get("id")).toMatchObject({
      ...sizes,
      isIdentity: true,
      isNullable: false,
      type: "uint64",
      nativeType: "bigint unsigned",
    });
    expect(said.get("name")).toMatchObject({
      ...sizes,
      maxLength: 20,
      isNullable: false,
      nativeType: "varchar(20)",
    });
    expect(said.get("price")).toMatchObject({ ...sizes, precision: 12, scale: 4 });
    expect(said.get("flags")).toMatchObject({ ...sizes, maxLength: 5 });
    expect(said.get("made")).toMatchObject({ ...sizes, scale: 3, type: "timestamptz" });
    expect(said.get("kind")).toMatchObject({ ...sizes, labels: ["a", "it's", "c"] });
    expect(said.get("raw")).toMatchObject({ ...sizes, maxLength: 9, type: "bytes" });
    expect(said.get("body")).toMatchObject(sizes);
    if (isMysql) expect(said.get("twice")).toMatchObject({ ...sizes, type: "int32" });
    expect(table?.collations).toEqual(
      expect.arrayContaining([
        { collation: "utf8mb4_general_ci", columns: ["name"] },
        { collation: "latin1_swedish_ci", columns: ["code"] },
      ]),
    );
    expect(table?.leftOut.map((words) => words.replaceAll(/[`()]/g, ""))).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^column made on update current_timestamp3$/i),
        expect.stringMatching(/^default of column noon: '?2020-02-02/),
        expect.stringMatching(/^default of column raw: /),
        expect.stringMatching(/^default of column sum: 1 \+ 1$/),
        expect.stringMatching(/^generated column twice as small \* 2$/),
        expect.stringMatching(/^generated column thrice as small \* 3$/),
        "comment of column doc",
        "comment of the table",
        expect.stringMatching(/^check price > 0$/),
        ...(isMysql ? ["column unseen invisible"] : []),
      ]),
    );
  });

  test("an index of a column that no replica gets is left out, too", async () => {
    const url = await freshMysqlDatabase(flavour, "common");
    await queryMysql(
      url,
      `create table made (id int primary key, n int, twice int as (n * 2) stored, unique u (twice), index i (n, twice), index j (n))`,
    );
    const [made] = await commonOf(url, ["made"]);
    const names = [...(made?.uniques ?? []), ...(made?.indexes ?? [])].map(({ name }) => name);
    // MySQL's log carries it, so it is a column like others there.
    expect(names).toEqual(isMysql ? ["u", "i", "j"] : ["j"]);
    expect(made?.leftOut.filter((words) => words.includes("index"))).toEqual(
      isMysql ? [] : ["unique index `u` (`twice`)", "index `i` (`n`, `twice`)"],
    );
  });

  test("has the order of its indexes; that of a primary key is left out", async () => {
    const url = await freshMysqlDatabase(flavour, "common");
    await queryMysql(
      url,
      "create table sorted (a int, b int, c varchar(9), primary key (a desc, b), unique u (b desc), index i (a, b desc), index j (c(3) desc))",
    );
    const [sorted] = await commonOf(url, ["sorted"]);
    expect(sorted).toMatchObject({
      primaryKey: ["a", "b"],
      uniques: [{ name: "u", columns: ["b"], descending: ["b"] }],
      indexes: [{ name: "i", columns: ["a", "b"], descending: ["b"] }],
    });
    expect(sorted?.leftOut.toSorted()).toEqual([
      "index `j` (`c`(3) desc)",
      "the order of the primary key (`a` desc, `b`)",
    ]);
  });

  test("has its keys and indexes, and by name what is left out", async () => {
    const url = await freshMysqlDatabase(flavour, "common");
    await queryMysql(
      url,
      `alter database collate utf8mb4_bin; create table parents (b int, a int, c varchar(20), p point not null, t text, primary key (a, b), unique u (c, a), index i (b),
       index beginning (c(5)), unique short (c(7)), fulltext words (t), spatial places (p)${isMysql ? ", index lowered ((lower(c)))" : ""});
     create table children (id int primary key, x int, y int,
       constraint f foreign key (x, y) references parents (a, b) on delete set null on update cascade);
     create table begins (t varchar(99), primary key (t(4)));
       create table parts (id int) partition by hash (id) partitions 2`,
    );
    const [children, parents, parts, begins] = await commonOf(url, [
      "children",
      "parents",
      "parts",
      "begins",
    ]);
    expect(parents).toMatchObject({
      primaryKey: ["a", "b"],
      uniques: [{ name: "u", columns: ["c", "a"], descending: [] }],
      indexes: [{ name: "i", columns: ["b"], descending: [] }],
      foreignKeys: [],
    });
    expect(parents?.leftOut.toSorted()).toEqual([
      "fulltext index `words` (`t`)",
      "index `beginning` (`c`(5))",
      ...(isMysql ? ["index `lowered` ((lower(`c`)))"] : []),
      "spatial index `places` (`p`)",
      "unique index `short` (`c`(7))",
    ]);
    expect(children?.foreignKeys).toEqual([
      {
        name: "f",
        columns: ["x", "y"],
        references: { schema: databaseOf(url), name: "parents" },
        referencedColumns: ["a", "b"],
        onDelete: "set null",
        onUpdate: "cascade",
      },
    ]);
    expect(begins).toMatchObject({ primaryKey: ["t"], leftOut: ["primary key (`t`(4))"] });
    expect(parts).toMatchObject({
      primaryKey: null,
      leftOut: [expect.stringMatching(/^partition by hash \(`?id`?\)$/)],
    });
    expect(await commonOf(url, ["gone"])).toEqual([]);
    expect(await commonOf(url, [])).toEqual([]);
  });
});

function factsOf(isMysql: boolean): string {
  return `set sql_mode = ''; create table facts (
      id bigint unsigned not null auto_increment primary key,
      name varchar(20) charset utf8mb4 collate utf8mb4_general_ci not null default 'it''s \\\\ "é"',
      code char(3) charset latin1, blank varchar(9) not null default '', word varchar(9) default 'NULL',
      price decimal(12,4) unsigned default 1.5, padded int zerofill not null default 7, small tinyint(1) default -3,
      ratio double default -0.25, part float default 1e10, flags bit(5) default b'101', born year default '2001',
      made timestamp(3) null default current_timestamp(3) on update current_timestamp(3),
      at datetime(6) default '2024-02-29 01:02:03.5', day date default '0000-00-00', late time(2) default '-838:59:59',
      since timestamp not null default '0000-00-00 00:00:00', noon timestamp not null default '2020-02-02 12:00:00',
      kind enum('a','it''s','c') default 'c', kinds set('x','y') default 'x,y', raw varbinary(9) default 'ab',
      body text, doc json comment 'a note', sum int default (1 + 1),
      twice int as (small * 2) virtual, thrice int as (small * 3) stored, unseen int ${isMysql ? "invisible" : ""},
      check (price > 0)
    ) comment 'facts'`;
}

import { beforeAll, describe, expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, startMysql } from "@lockstep/testkit";
import { MIN_LOADED_ROWS } from "./loaded-rows.ts";
import { CREATE_ITEMS, insert, Replica, update } from "./replica.fixture.ts";
import { itemsOf, normalOf, REFUSED_VALUES, VALUE_CASES, withoutSign } from "./value-cases.fixture.ts";

describe.each(MYSQL_FLAVOURS)("what is loaded into %s", (flavour) => {
  let url: string;
  beforeAll(async () => (url = await freshMysqlDatabase(flavour, "loaded")));

  const cases = VALUE_CASES.filter(({ only }) => only === undefined || only === flavour);

  test.each(cases)("$type as $column arrives as it is (V1)", async (one) => {
    const { column, type, texts, read = "v", shown = (text) => text } = one;
    await using replica = await Replica.create(
      flavour,
      `drop table if exists items; create table items (id int primary key, v ${column} null)`,
      { kind: "halt" },
      url,
    );
    const table = itemsOf(replica.schema, [
      ["id", "int32", true],
      ["v", type, false],
    ]);
    const given = Array.from({ length: MIN_LOADED_ROWS }, (_, id) => texts[id % (texts.length + 1)] ?? null);
    const before = await loadsOf(replica);
    await replica.apply(
      given.map((text, id) => insert(String(id), text)),
      { table },
    );
    expect((await loadsOf(replica)) - before).toBe(1);
    const found = await replica.query(`select ${read} as v from items order by id`);
    expect(found.map(({ v }) => (v === undefined || v === null ? null : normalOf(type, v)))).toEqual(
      given.map((text) => (text === null ? null : withoutSign(flavour, shown(text)))),
    );
    expect(replica.reasons).toEqual([]);
  });

  test.each(REFUSED_VALUES)("%s does not take the %s %s (V1)", async (column, type, text) => {
    await using replica = await Replica.create(
      flavour,
      `drop table if exists items; create table items (id int primary key, v ${column})`,
      { kind: "halt" },
      url,
    );
    const table = itemsOf(replica.schema, [
      ["id", "int32", true],
      ["v", type, false],
    ]);
    const rows = Array.from({ length: MIN_LOADED_ROWS }, (_, id) =>
      insert(String(id), id === 3 ? text : null),
    );
    await expect(replica.apply(rows, { table })).rejects.toMatchObject({
      code: "apply-refused",
      fields: { key: "id=3" },
    });
    expect(await replica.query("select * from items")).toEqual([]);
  });

  test.each(flavour === "mariadb" ? ["int", "double"] : ["int"])(
    "a 0 is no request for a number of an auto_increment %s",
    async (type) => {
      for (const other of ["varbinary(9)", "varchar(9)"]) {
        await using replica = await Replica.create(
          flavour,
          `drop table if exists items; create table items (id ${type} primary key auto_increment, v ${other})`,
          { kind: "halt" },
          url,
        );
        const table = itemsOf(replica.schema, [
          ["id", "int32", true],
          ["v", other === "varchar(9)" ? "string" : "bytes", false],
        ]);
        const rows = Array.from({ length: MIN_LOADED_ROWS }, (_, id) => insert(String(id), "\\x00"));
        await replica.apply(rows, { table });
        expect(replica.reasons).toEqual([]);
        const [range] = await replica.query("select min(id) as least, max(id) as most from items");
        expect(range).toEqual({ least: "0", most: String(MIN_LOADED_ROWS - 1) });
      }
    },
  );

  test("a NULL that the server would fill in is refused, however it is written (V1)", async () => {
    await using replica = await Replica.create(
      flavour,
      `drop table if exists items;
       create table items (id int primary key, v timestamp not null default '2000-01-01 00:00:00')`,
      { kind: "halt" },
      url,
    );
    const table = itemsOf(replica.schema, [
      ["id", "int32", true],
      ["v", "timestamptz", false],
    ]);
    await replica.apply([insert("7", "2020-02-02 00:00:00+00")], { table });
    const loaded = Array.from({ length: MIN_LOADED_ROWS }, (_, id) => insert(String(100 + id), null));
    for (const events of [loaded, [insert("100", null)], [update("7", null)]])
      await expect(replica.apply(events, { table })).rejects.toMatchObject({ code: "apply-refused" });
    expect(await replica.query("select * from items")).toEqual([{ id: "7", v: "2020-02-02 00:00:00" }]);
  });

  test("a server of small packets is loaded in small ones", async () => {
    await using server = await startMysql(flavour, { settings: { "max-allowed-packet": "16384" } });
    await server.query("create database small");
    await using replica = await Replica.create(flavour, CREATE_ITEMS, { kind: "halt" }, server.url("small"));
    const before = await loadsOf(replica);
    await replica.apply(Array.from({ length: 1_000 }, (_, id) => insert(String(id), "é".repeat(50), "1")));
    expect((await loadsOf(replica)) - before).toBe(1);
    expect(await replica.lines()).toHaveLength(1_000);
  });

  test("rows that would be loaded over others, or not as they are, are applied one by one", async () => {
    await using replica = await Replica.create(
      flavour,
      `drop table if exists items; ${CREATE_ITEMS}`,
      { kind: "primary_wins" },
      url,
    );
    await replica.query("insert into items values (7, 'theirs', 1)");
    const events = Array.from({ length: MIN_LOADED_ROWS }, (_, id) =>
      insert(String(id), `'${id}'\n\\N,\t`, null),
    );
    expect(await replica.apply(events)).toMatchObject({ conflicts: 1 });
    expect((await replica.lines()).slice(6, 8)).toEqual([`6,'6'\n\\N,\t,-`, `7,'7'\n\\N,\t,-`]);
    const long = insert("1000", "x".repeat(101), null);
    await expect(
      replica.apply([...events.map((_, id) => insert(String(2000 + id), "x", null)), long]),
    ).rejects.toMatchObject({ code: "apply-refused", fields: { key: "id=1000" } });
    expect(await replica.lines()).toHaveLength(MIN_LOADED_ROWS);
  });
});

async function loadsOf(replica: Replica): Promise<number> {
  const [row] = await replica.claimed.connected.session.query("show session status like 'Com_load'");
  return Number(row?.["Value"]);
}

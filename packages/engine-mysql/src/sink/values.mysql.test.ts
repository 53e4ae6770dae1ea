import { beforeAll, describe, expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS } from "@lockstep/testkit";
import { insert, remove, Replica, update } from "./replica.fixture.ts";
import { itemsOf, normalOf, REFUSED_VALUES, VALUE_CASES, withoutSign } from "./value-cases.fixture.ts";

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  let url: string;
  beforeAll(async () => (url = await freshMysqlDatabase(flavour, "values")));

  const replicaWith = async (sql: string): Promise<Replica> =>
    await Replica.create(flavour, `drop table if exists items; ${sql}`, { kind: "halt" }, url);

  const cases = VALUE_CASES.filter(({ only }) => only === undefined || only === flavour);

  test.each(cases)("$type as $column arrives as it is (V1)", async (one) => {
    const { column, type, texts, read = "v", shown = (text) => text } = one;
    for (const isOrdered of [false, true]) {
      await using replica = await replicaWith(`create table items (id int primary key, v ${column} null)`);
      const table = itemsOf(replica.schema, [
        ["id", "int32", true],
        ["v", type, false],
      ]);
      const options = { isOrdered, table };
      const values = async (): Promise<unknown> =>
        (await replica.query(`select ${read} as v from items order by id`)).map(({ v }) =>
          v === undefined || v === null ? null : normalOf(type, v),
        );
      await replica.apply(
        [...texts.map((text, id) => insert(String(id), text)), insert("99", null)],
        options,
      );
      const expected = texts.map((text) => withoutSign(flavour, shown(text)));
      expect(await values()).toEqual([...expected, null]);
      await replica.query("update items set v = null");
      await replica.apply(
        [...texts.map((text, id) => update(String(id), text)), update("99", texts[0] ?? null)],
        options,
      );
      expect(await values()).toEqual([...expected, expected[0]]);
      expect(replica.reasons).toEqual(isOrdered ? Array(2).fill("asked for") : []);
    }
  });

  test.each(cases.filter(({ isKey }) => isKey === true))(
    "$type as $column finds its row (V1)",
    async ({ column, type, texts }) => {
      for (const isOrdered of [false, true]) {
        await using replica = await replicaWith(
          `create table items (v ${column} not null, n int, primary key (v))`,
        );
        const table = itemsOf(replica.schema, [
          ["v", type, true],
          ["n", "int32", false],
        ]);
        const options = { isOrdered, table };
        const sum = async (): Promise<unknown> =>
          await replica.query("select count(*) as c, sum(n) as s from items");
        await replica.apply(
          texts.map((text) => insert(text, "1")),
          options,
        );
        expect(await sum()).toEqual([{ c: String(texts.length), s: String(texts.length) }]);
        await replica.apply(
          texts.map((text) => update(text, "5")),
          options,
        );
        expect(await sum()).toEqual([{ c: String(texts.length), s: String(5 * texts.length) }]);
        await replica.apply(
          texts.map((text) => remove(text, 0)),
          options,
        );
        expect(await sum()).toEqual([{ c: "0", s: null }]);
        expect(replica.reasons).toEqual(isOrdered ? Array(3).fill("asked for") : []);
      }
    },
  );

  test.each(REFUSED_VALUES)(
    "%s does not take the %s %s: it is refused, and not said (V1, S1)",
    async (column, type, text) => {
      await using replica = await replicaWith(`create table items (id int primary key, v ${column})`);
      const table = itemsOf(replica.schema, [
        ["id", "int32", true],
        ["v", type, false],
      ]);
      await replica.query("insert into items (id) values (7)");
      for (const isOrdered of [false, true]) {
        for (const events of [[insert("1", text), insert("2", null)], [update("7", text)]]) {
          const applied = replica.apply(events, { isOrdered, table });
          await expect(applied).rejects.toMatchObject({
            code: "apply-refused",
            fields: { key: expect.stringMatching(/^id=[17]$/) as unknown },
          });
          if (text.length > 3) await expect(applied).rejects.not.toThrow(text);
        }
      }
      expect(await replica.query("select * from items")).toEqual([{ id: "7", v: null }]);
    },
  );
});

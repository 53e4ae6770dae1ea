import { describe, expect, test } from "vitest";
import { MYSQL_FLAVOURS } from "@lockstep/testkit";
import { insert, remove, Replica, update } from "./replica.fixture.ts";

const BOTH_WAYS = [
  ["in bulk", false],
  ["in order", true],
] as const;

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  describe.each(BOTH_WAYS)("%s", (_, isOrdered) => {
    test.each(["varchar(3)", "char(3)"])(
      "text that does not fit %s is refused, never cut off (V1)",
      async (type) => {
        await using replica = await Replica.create(
          flavour,
          `create table items (id int primary key, label ${type}, at int)`,
        );
        const texts = ["s3cret", type === "char(3)" ? "s3 " : "s3    "];
        for (const text of texts)
          for (const others of [[], [insert("2", "two", "2")]]) {
            const failed = replica.apply([insert("1", text, "1"), ...others], { isOrdered });
            await expect(failed).rejects.toMatchObject({ code: "apply-refused", fields: { key: "id=1" } });
            await expect(failed).rejects.not.toThrow("s3"); // S1
          }
        expect(await replica.lines()).toEqual([]);
        await replica.apply([insert("1", "abc", "1")], { isOrdered });
        await expect(replica.apply([update("1", "s3cret", "1")], { isOrdered })).rejects.toMatchObject({
          code: "apply-refused",
        });
        expect(await replica.lines()).toEqual(["1,abc,1"]);
      },
    );

    test("texts with quotes, backslashes, NUL and emoji arrive as they are", async () => {
      await using replica = await Replica.create(flavour);
      const texts = [
        "it's",
        "back\\slash\\",
        "\\'",
        '"',
        "a\u0000b",
        "\u001a%_`",
        "€𝄞é",
        "",
        "line\nend\r\t",
        "${1} ? ;--",
      ];
      await replica.apply(
        texts.map((text, index) => insert(String(index), text, "0")),
        { isOrdered },
      );
      const hex = await replica.query("select hex(label) as h from items order by id");
      expect(hex.map(({ h }) => Buffer.from(h ?? "", "hex").toString())).toEqual(texts);
      await replica.apply(
        texts.map((text, index) => update(String(index), `${text}'\\`, 0)),
        { isOrdered },
      );
      const again = await replica.query("select hex(label) as h from items order by id");
      expect(again.map(({ h }) => Buffer.from(h ?? "", "hex").toString())).toEqual(
        texts.map((text) => `${text}'\\`),
      );
    });

    test("a generated column is the replica's own affair, and an auto-increment keeps the source's number", async () => {
      await using replica = await Replica.create(
        flavour,
        "create table items (id int auto_increment primary key, label varchar(9), at int, twice int generated always as (at * 2) stored)",
      );
      const columns = [
        ...replica.items.columns,
        { name: "twice", type: "int32", nativeType: "int", isKey: false } as const,
      ];
      const table = { ...replica.items, columns };
      await replica.apply([insert("0", "zero", "1", "77"), insert("5", "five", "2", "77")], {
        isOrdered,
        table,
      });
      await replica.apply([update("5", "five", "7", "0")], { isOrdered, table });
      expect(await replica.query("select id, twice from items order by id")).toEqual([
        { id: "0", twice: "2" },
        { id: "5", twice: "14" },
      ]);
    });

    test("a window above one statement and one packet is applied whole", async () => {
      await using replica = await Replica.create(
        flavour,
        "create table items (id int primary key, label mediumtext, at int)",
      );
      const ids = Array.from({ length: 2_500 }, (_, id) => String(id));
      const long = "é'".repeat(1_000);
      await replica.apply(
        ids.map((id) => insert(id, long, id)),
        { isOrdered },
      );
      await replica.apply(
        ids.map((id) => (Number(id) % 5 === 0 ? remove(id, 0, 0) : update(id, 0, "7"))),
        { isOrdered },
      );
      expect(
        await replica.query("select count(*) as n, sum(at) as s, sum(char_length(label)) as l from items"),
      ).toEqual([{ n: "2000", s: "14000", l: "4000000" }]);
      expect(replica.reasons).toEqual(isOrdered ? Array(2).fill("asked for") : []);
    });
  });

  test.each([
    [
      "it does not exist",
      "rename table items to others; create view items as select * from others",
      "create it there",
    ],
    [
      "its storage engine, MyISAM, has no transactions",
      "alter table items engine = MyISAM",
      "engine = InnoDB",
    ],
    ["column at is smallint", "alter table items modify at set('a')", "modify column `at`"],
    ["its primary key is another", "alter table items drop primary key, add unique (id, at)", "unique index"],
  ])("a replica's table that differs is refused by name: %s", async (what, sql, fix) => {
    await using replica = await Replica.create(flavour);
    await replica.query(sql);
    await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({
      code: "schema-mismatch",
      message: expect.stringContaining(
        `${replica.schema}.items on replica r: ${what.replace("smallint", "set('a')")}`,
      ) as unknown,
      fix: expect.stringContaining(fix) as unknown,
    });
  });

  test("a row above max_allowed_packet is refused by name, and not tried for ever", async () => {
    await using replica = await Replica.create(
      flavour,
      "create table items (id int primary key, label longtext, at int)",
    );
    const applied = replica.apply([insert("1", "x".repeat(65 * 1024 * 1024), "1")]);
    await expect(applied).rejects.toMatchObject({
      code: "apply-refused",
      message: expect.stringContaining("max_allowed_packet") as unknown,
    });
    await replica.apply([insert("2", "two", "2")]);
  });
});

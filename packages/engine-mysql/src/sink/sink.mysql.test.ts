import { describe, expect, test } from "vitest";
import { MYSQL_FLAVOURS } from "@lockstep/testkit";
import {
  CREATE_ITEMS,
  insert,
  never,
  progressAt,
  remove,
  Replica,
  truncate,
  update,
} from "./replica.fixture.ts";

const BOTH_WAYS = [
  ["in bulk", false],
  ["in order", true],
] as const;

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  describe.each(BOTH_WAYS)("%s", (_, isOrdered) => {
    test("inserts, updates of some columns, deletes and a truncate are applied", async () => {
      await using replica = await Replica.create(flavour);
      const inserted = [insert("1", "one", "1"), insert("2", "two", null), insert("3", null, "3")];
      expect(await replica.apply(inserted, { isOrdered })).toEqual({ events: 3, conflicts: 0 });
      await replica.apply([update("1", 0, "9"), update("2", "zwei", 0), remove("3", 0, 0)], { isOrdered });
      expect(await replica.lines()).toEqual(["1,one,9", "2,zwei,-"]);
      await replica.apply([truncate, insert("4", "four", "4")], { isOrdered });
      expect(await replica.lines()).toEqual(["4,four,4"]);
      expect(replica.reasons).toEqual(isOrdered ? Array(3).fill("asked for") : []);
    });

    test("two rows that swap a unique value end swapped", async () => {
      await using replica = await Replica.create(
        flavour,
        `${CREATE_ITEMS}; create unique index l on items (label)`,
      );
      await replica.apply([insert("1", "a", "1"), insert("2", "b", "2")]);
      const swap = [update("1", "x", "1"), update("2", "a", "2"), update("1", "b", "1")];
      expect(await replica.apply(swap, { isOrdered })).toEqual({ events: 3, conflicts: 0 });
      expect(await replica.lines()).toEqual(["1,b,1", "2,a,2"]);
    });

    test("an insert never touches another row through a secondary unique key", async () => {
      await using replica = await Replica.create(
        flavour,
        `${CREATE_ITEMS}; create unique index l on items (label)`,
      );
      await replica.query("insert into items values (7, 'taken', 7)");
      const applied = replica.apply([insert("1", "taken", "1"), insert("2", "free", "2")], { isOrdered });
      await expect(applied).rejects.toMatchObject({
        code: "apply-refused",
        fields: { error: 1062, key: "id=1", constraint: expect.stringContaining("l") as unknown },
      });
      await expect(applied).rejects.not.toThrow("taken"); // S1
      expect(await replica.lines()).toEqual(["7,taken,7"]);
    });

    test("a key changes and the column that was not carried stays", async () => {
      await using replica = await Replica.create(flavour);
      await replica.apply([insert("1", "kept", "1")]);
      const moved = { kind: "update", table: 0, before: ["1", 0, 0], after: ["5", 0, "2"] } as const;
      await replica.apply([moved], { isOrdered });
      expect(await replica.lines()).toEqual(["5,kept,2"]);
    });

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

    test("what is no number is refused, never sent to the server", async () => {
      await using replica = await Replica.create(flavour);
      const applied = replica.apply([insert("1); delete from items; -- ", "x", "1")], { isOrdered });
      await expect(applied).rejects.toMatchObject({ code: "apply-refused" });
    });

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

    test("children are applied before their parents: the primary has checked what refers to what", async () => {
      await using replica = await Replica.create(
        flavour,
        `create table parent (id int primary key); insert into parent values (1);
         create table items (id int primary key, label varchar(9), at int, foreign key (at) references parent (id) on delete cascade)`,
      );
      await replica.apply([insert("1", "orphan", "77")], { isOrdered });
      expect(await replica.lines()).toEqual(["1,orphan,77"]);
    });

    test("rows of a table without a key are found by all that they hold, one at a time", async () => {
      await using replica = await Replica.create(
        flavour,
        "create table items (id int, label varchar(20), at int)",
      );
      const table = {
        ...replica.items,
        columns: replica.items.columns.map((column) => ({ ...column, isKey: false })),
      };
      const rows = [
        insert("1", "A", null),
        insert("1", "a ", null),
        insert("1", "a", null),
        insert("1", "a", null),
      ];
      await replica.apply(rows, { isOrdered, table });
      await replica.apply(
        [
          remove("1", "a", null),
          { kind: "update", table: 0, before: ["1", "A", null], after: ["2", "b", "1"] },
        ],
        {
          isOrdered,
          table,
        },
      );
      expect((await replica.lines()).toSorted()).toEqual(["1,a ,-", "1,a,-", "2,b,1"]);
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
    [{ kind: "primary_wins" }, ["1,new,2", "2,two,2"], 3],
    [{ kind: "replica_wins" }, ["1,old,5"], 3],
    [{ kind: "latest_wins", column: "at" }, ["1,old,5", "2,two,2"], 3],
  ] as const)("drift is resolved and counted: %o", async (policy, expected, conflicts) => {
    await using replica = await Replica.create(flavour, CREATE_ITEMS, policy);
    await replica.query("insert into items values (1, 'old', 5)");
    const result = await replica.apply([
      insert("1", "new", "2"), // It is there.
      update("2", "two", "2"), // It is not there.
      remove("3", 0, 0), // Nor is this.
    ]);
    expect(result).toEqual({ events: 3, conflicts });
    expect(await replica.lines()).toEqual(expected);
  });

  test("latest_wins lets a newer row of the primary through", async () => {
    await using replica = await Replica.create(flavour, CREATE_ITEMS, { kind: "latest_wins", column: "at" });
    await replica.query("insert into items values (1, 'old', 5), (2, 'old', null)");
    await replica.apply([insert("1", "new", "6"), insert("2", "new", "1")]);
    expect(await replica.lines()).toEqual(["1,new,6", "2,new,1"]);
  });

  test.each([
    ["an insert found the row there", insert("1", "new", "2")],
    ["an update found no row", update("2", "two", "2")],
    ["a delete found no row", remove("2", 0, 0)],
  ])("halt stops at drift and applies nothing: %s", async (what, event) => {
    await using replica = await Replica.create(flavour, CREATE_ITEMS, { kind: "halt" });
    await replica.query("insert into items values (1, 'old', 5)");
    await expect(replica.apply([insert("7", "before it", "7"), event])).rejects.toMatchObject({
      code: "conflict-halted",
      message: expect.stringContaining(what) as unknown,
    });
    expect(await replica.lines()).toEqual(["1,old,5"]);
  });

  test("an update that finds no row and does not carry every column cannot be mended by policy", async () => {
    await using replica = await Replica.create(flavour);
    const applied = replica.apply([insert("7", "before it", "7"), update("1", 0, "2")]);
    await expect(applied).rejects.toMatchObject({ code: "row-incomplete", fields: { key: "id=1" } });
    expect(await replica.lines()).toEqual([]);
  });

  test("a bulk statement that meets fewer rows than it names applies nothing by itself", async () => {
    await using replica = await Replica.create(flavour);
    await replica.apply([insert("1", "one", "1"), insert("2", "two", "2"), insert("3", "three", "3")]);
    await replica.query("delete from items where id in (2, 3)");
    const { conflicts } = await replica.apply([
      update("1", "eins", "1"),
      update("2", "zwei", "2"),
      remove("3", 0, 0),
    ]);
    expect(conflicts).toBe(2);
    expect(await replica.lines()).toEqual(["1,eins,1", "2,zwei,2"]);
  });

  test("an update that changes nothing is no drift", async () => {
    await using replica = await Replica.create(flavour, CREATE_ITEMS, { kind: "halt" });
    await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
    for (const isOrdered of [false, true])
      await replica.apply([update("1", "one", "1"), update("2", "zwei", "2")], { isOrdered });
    expect(await replica.lines()).toEqual(["1,one,1", "2,zwei,2"]);
  });

  test.each([
    ["it does not exist", "drop table items", "create it there"],
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
    ["column at is missing", "alter table items drop column at", "add column `at`"],
    ["column at is smallint", "alter table items modify at set('a')", "modify column `at`"],
    [
      "column more is not on the primary, and every row needs a value",
      "alter table items add column more int not null",
      "set default",
    ],
    [
      "its primary key is another",
      "alter table items drop primary key, modify at int not null, add primary key (at)",
      "unique index",
    ],
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

  test("a table that is altered under the session is looked at again", async () => {
    await using replica = await Replica.create(flavour);
    await replica.apply([insert("1", "one", "1")]);
    await replica.query("alter table items rename column label to name");
    await expect(replica.apply([insert("2", "two", "2")])).rejects.toMatchObject({ code: "connection-lost" });
    expect(await replica.query("select id, name from items")).toEqual([{ id: "1", name: "one" }]);
  });

  test("a large transaction is applied piece by piece, and nobody sees it before its end (A3)", async () => {
    await using replica = await Replica.create(flavour);
    await replica.query("insert into items values (5, 'drift', 5)");
    const target = await replica.claimed.session.openTransaction(never());
    const pieces = [
      [insert("1", "one", "1"), insert("2", "two", "2")],
      [update("1", "eins", "1"), insert("5", "five", "6")],
    ];
    let conflicts = 0;
    for (const piece of pieces)
      conflicts += (await target.apply(replica.windowOf(piece, 1), never())).conflicts;
    await target.savepoint(never());
    await target.apply(replica.windowOf([remove("1", 0, 0)], 1), never());
    await target.rollbackTo(never());
    expect(await replica.lines()).toEqual(["5,drift,5"]);
    await target.commit(progressAt(1), never());
    expect(conflicts).toBe(1);
    expect(await replica.lines()).toEqual(["1,eins,1", "2,two,2", "5,five,6"]);
    await using next = await replica.claim("owner");
    expect(next.progress).toMatchObject(progressAt(1));
  });

  test("a large transaction that is rolled back leaves nothing, and the session goes on", async () => {
    await using replica = await Replica.create(flavour);
    const target = await replica.claimed.session.openTransaction(never());
    await target.apply(replica.windowOf([insert("1", "one", "1")], 1), never());
    await target.rollback(never());
    await replica.apply([insert("2", "two", "2")]);
    expect(await replica.lines()).toEqual(["2,two,2"]);
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

import { describe, expect, test } from "vitest";
import type { Column } from "@lockstep/core";
import { createItems, FollowedReplica, insert, remove, truncate, update } from "./followed-replica.ts";
import type { SinkPlace } from "./sink-place.ts";

const TEXTS = [
  "it's",
  "back\\slash\\",
  "\\'",
  '"',
  "\u001a%_`",
  "€𝄞é",
  "e\u0301",
  "",
  " both ends ",
  "line\nend\r\t",
  "${1} ? ;--",
  "NULL",
];

/** What every sink does with changes, in bulk and in order. */
export function applyingSuite(place: SinkPlace): void {
  describe.each([
    ["in bulk", false],
    ["in order", true],
  ] as const)("%s", (_, isOrdered) => {
    test("inserts, updates of some columns, deletes and a truncate are applied", async () => {
      await using replica = await FollowedReplica.create(place);
      const inserted = [insert("1", "one", "1"), insert("2", "two", null), insert("3", null, "3")];
      expect(await replica.apply(inserted, { isOrdered })).toEqual({ events: 3, conflicts: 0 });
      await replica.apply([update("1", 0, "9"), update("2", "zwei", 0), remove("3", 0, 0)], { isOrdered });
      expect(await replica.lines()).toEqual(["1,one,9", "2,zwei,-"]);
      await replica.apply([truncate, insert("4", "four", "4")], { isOrdered });
      expect(await replica.lines()).toEqual(["4,four,4"]);
      expect(replica.reasons).toEqual(isOrdered ? Array(3).fill("asked for") : []);
    });

    test("a table of which nothing is known but its name is truncated", async () => {
      await using replica = await FollowedReplica.create(place);
      await replica.apply([insert("1", "one", "1")], { isOrdered });
      await replica.apply([truncate], { isOrdered, table: { ...replica.items, columns: [] } });
      expect(await replica.lines()).toEqual([]);
      await replica.apply([insert("4", "four", "4")], { isOrdered });
      expect(await replica.lines()).toEqual(["4,four,4"]);
    });

    test("two rows that swap a unique value end swapped", async () => {
      const sql = `${createItems(place)}; create unique index l on items (label)`;
      await using replica = await FollowedReplica.create(place, { sql });
      await replica.apply([insert("1", "a", "1"), insert("2", "b", "2")]);
      const swap = [update("1", "x", "1"), update("2", "a", "2"), update("1", "b", "1")];
      expect(await replica.apply(swap, { isOrdered })).toEqual({ events: 3, conflicts: 0 });
      expect(await replica.lines()).toEqual(["1,b,1", "2,a,2"]);
    });

    test("an insert never touches another row through a secondary unique key", async () => {
      const sql = `${createItems(place)}; create unique index l on items (label); insert into items values (7, 'taken', 7)`;
      await using replica = await FollowedReplica.create(place, { sql });
      const applied = replica.apply([insert("1", "taken", "1"), insert("2", "free", "2")], { isOrdered });
      await expect(applied).rejects.toMatchObject({ code: "apply-refused", fields: { key: "id=1" } });
      await expect(applied).rejects.not.toThrow("taken"); // S1
      expect(await replica.lines()).toEqual(["7,taken,7"]);
    });

    test("a key changes and the column that was not carried stays", async () => {
      await using replica = await FollowedReplica.create(place);
      await replica.apply([insert("1", "kept", "1")]);
      const moved = { kind: "update", table: 0, before: ["1", 0, 0], after: ["5", 0, "2"] } as const;
      await replica.apply([moved], { isOrdered });
      expect(await replica.lines()).toEqual(["5,kept,2"]);
    });

    test("texts arrive as they are, and go on being found", async () => {
      await using replica = await FollowedReplica.create(place);
      const labels = async (): Promise<unknown[]> =>
        (await replica.query("select label from items order by id")).map(({ label }) => label);
      const inserts = TEXTS.map((text, index) => insert(String(index), text, "0"));
      await replica.apply(inserts, { isOrdered });
      expect(await labels()).toEqual(TEXTS);
      const updates = TEXTS.map((text, index) => update(String(index), `${text}'\\`, 0));
      await replica.apply(updates, { isOrdered });
      expect(await labels()).toEqual(TEXTS.map((text) => `${text}'\\`));
    });

    test("what is no number is refused, and never run", async () => {
      await using replica = await FollowedReplica.create(place);
      await replica.apply([insert("1", "one", "1")]);
      const applied = replica.apply([insert("2); delete from items; -- ", "x", "1")], { isOrdered });
      await expect(applied).rejects.toMatchObject({ code: "apply-refused" });
      expect(await replica.lines()).toEqual(["1,one,1"]);
    });

    test("a generated column is the replica's own affair", async () => {
      const sql = `${createItems(place)}; ${place.words.twice}`;
      await using replica = await FollowedReplica.create(place, { sql });
      await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")], { isOrdered });
      await replica.apply([update("1", "one", "5")], { isOrdered });
      const rows = await replica.query("select id, twice from items order by id");
      expect(rows.map(({ id, twice }) => [Number(id), Number(twice)])).toEqual([
        [1, 10],
        [2, 4],
      ]);
    });

    test("children are applied before their parents: the primary has checked what refers to what", async () => {
      const { integer, text } = place.words;
      const sql = `create table parent (id ${integer} primary key); create table items
        (id ${integer} primary key, label ${text}, at ${integer}, foreign key (at) references parent (id) on delete cascade)`;
      await using replica = await FollowedReplica.create(place, { sql });
      await replica.apply([insert("1", "orphan", "77")], { isOrdered });
      expect(await replica.lines()).toEqual(["1,orphan,77"]);
    });

    test("rows of a table without a key are found by all that they hold, one at a time", async () => {
      const { integer, text } = place.words;
      const sql = `create table items (id ${integer}, label ${text}, at ${integer})`;
      await using replica = await FollowedReplica.create(place, { sql });
      const keyless = (column: Column): Column => ({ ...column, isKey: false });
      const table = { ...replica.items, columns: replica.items.columns.map(keyless) };
      const rows = ["A", "a ", "a", "a"].map((label) => insert("1", label, null));
      await replica.apply(rows, { isOrdered, table });
      const moved = { kind: "update", table: 0, before: ["1", "A", null], after: ["2", "b", "1"] } as const;
      await replica.apply([remove("1", "a", null), moved], { isOrdered, table });
      expect((await replica.lines()).toSorted()).toEqual(["1,a ,-", "1,a,-", "2,b,1"]);
    });
  });
}

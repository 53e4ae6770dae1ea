import { expect, test } from "vitest";
import { FollowedReplica, insert, never, remove, update } from "./followed-replica.ts";
import type { SinkPlace } from "./sink-place.ts";

/** What every sink does where the replica is not as the primary was, and with large transactions. */
export function differingSuite(place: SinkPlace): void {
  test.each([
    [{ kind: "primary_wins" }, ["1,new,2", "2,two,2"], 3],
    [{ kind: "replica_wins" }, ["1,old,5"], 3],
    [{ kind: "latest_wins", column: "at" }, ["1,old,5", "2,two,2"], 3],
  ] as const)("drift is resolved and counted: %o", async (policy, expected, conflicts) => {
    await using replica = await FollowedReplica.create(place, { policy });
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
    const policy = { kind: "latest_wins", column: "at" } as const;
    await using replica = await FollowedReplica.create(place, { policy });
    await replica.query("insert into items values (1, 'old', 5), (2, 'old', null)");
    await replica.apply([insert("1", "new", "6"), insert("2", "new", "1")]);
    expect(await replica.lines()).toEqual(["1,new,6", "2,new,1"]);
  });

  test.each([
    ["an insert found the row there", insert("1", "new", "2")],
    ["an update found no row", update("2", "two", "2")],
    ["a delete found no row", remove("2", 0, 0)],
  ])("halt stops at drift and applies nothing: %s", async (what, event) => {
    await using replica = await FollowedReplica.create(place, { policy: { kind: "halt" } });
    await replica.query("insert into items values (1, 'old', 5)");
    await expect(replica.apply([insert("7", "before it", "7"), event])).rejects.toMatchObject({
      code: "conflict-halted",
      message: expect.stringContaining(what) as unknown,
    });
    expect(await replica.lines()).toEqual(["1,old,5"]);
  });

  test("an update that finds no row and does not carry every column cannot be mended by policy", async () => {
    await using replica = await FollowedReplica.create(place);
    const applied = replica.apply([insert("7", "before it", "7"), update("1", 0, "2")]);
    await expect(applied).rejects.toMatchObject({ code: "row-incomplete", fields: { key: "id=1" } });
    expect(await replica.lines()).toEqual([]);
  });

  test("a bulk statement that meets fewer rows than it names applies nothing by itself", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.apply([insert("1", "one", "1"), insert("2", "two", "2"), insert("3", "three", "3")]);
    await replica.query("delete from items where id in (2, 3)");
    const changes = [update("1", "eins", "1"), update("2", "zwei", "2"), remove("3", 0, 0)];
    expect(await replica.apply(changes)).toEqual({ events: 3, conflicts: 2 });
    expect(await replica.lines()).toEqual(["1,eins,1", "2,zwei,2"]);
  });

  test("an update that changes nothing is no drift", async () => {
    await using replica = await FollowedReplica.create(place, { policy: { kind: "halt" } });
    await replica.apply([insert("1", "one", "1"), insert("2", "two", "2")]);
    for (const isOrdered of [false, true])
      await replica.apply([update("1", "one", "1"), update("2", "zwei", "2")], { isOrdered });
    expect(await replica.lines()).toEqual(["1,one,1", "2,zwei,2"]);
  });

  test.each([
    ["it does not exist", "drop table items", "create it there"],
    ["column at is missing", "alter table items drop column at", "add column"],
    [
      "column more is not on the primary, and every row needs a value",
      `alter table items add column more ${place.words.integer} not null`,
      "set default",
    ],
    ["its primary key is another", place.words.otherKey, "unique index"],
  ])("a replica's table that differs is refused by name: %s", async (what, sql, fix) => {
    await using replica = await FollowedReplica.create(place);
    await replica.query(sql);
    await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({
      code: "schema-mismatch",
      message: expect.stringContaining(`${replica.schema}.items on replica r: ${what}`) as unknown,
      fix: expect.stringContaining(fix) as unknown,
    });
  });

  test("all in which a replica's table differs is named at once, and one statement adds what it lacks", async () => {
    await using replica = await FollowedReplica.create(place);
    const { integer } = place.words;
    await replica.query(
      `alter table items drop column label, drop column at, add column more ${integer} not null`,
    );
    const missing = "columns label, at are missing; column more is not on the primary";
    await expect(replica.apply([insert("1", "one", "1")])).rejects.toMatchObject({
      code: "schema-mismatch",
      message: expect.stringContaining(`items on replica r: ${missing}`) as unknown,
      fix: expect.stringMatching(
        /renamed.*add column .label.*, add column .at[^;]*; .*set default/,
      ) as unknown,
    });
  });

  test("a table that is altered under the session is looked at again", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.apply([insert("1", "one", "1")]);
    await replica.query("alter table items rename column label to name");
    await expect(replica.apply([insert("2", "two", "2")])).rejects.toMatchObject({ code: "connection-lost" });
    const rows = await replica.query("select id, name from items");
    expect(rows.map(({ id, name }) => [Number(id), name])).toEqual([[1, "one"]]);
  });

  test("a large transaction is applied piece by piece, and nobody sees it before its end (A3)", async () => {
    await using replica = await FollowedReplica.create(place);
    await replica.query("insert into items values (5, 'drift', 5)");
    const target = await replica.session.openTransaction(never());
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
    await target.commit(replica.progressAt(1), never());
    expect(conflicts).toBe(1);
    expect(await replica.lines()).toEqual(["1,eins,1", "2,two,2", "5,five,6"]);
    await using next = await replica.claim("owner");
    expect(next.progress).toMatchObject(replica.progressAt(1));
  });

  test("a large transaction that is rolled back leaves nothing, and the session goes on", async () => {
    await using replica = await FollowedReplica.create(place);
    const target = await replica.session.openTransaction(never());
    await target.apply(replica.windowOf([insert("1", "one", "1")], 1), never());
    await target.rollback(never());
    await replica.apply([insert("2", "two", "2")]);
    expect(await replica.lines()).toEqual(["2,two,2"]);
  });
}

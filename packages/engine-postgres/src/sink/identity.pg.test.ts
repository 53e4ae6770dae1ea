import { expect, test } from "vitest";
import { fold, offset, position, type ReplicationEvent, type Table } from "@lockstep/core";
import { execute } from "@lockstep/testkit";
import { insert, ITEMS, never, progressAt, remove, Replica, update } from "./replica.fixture.ts";

/* Columns that are generated always as identity: no UPDATE can set them. */

/** `at` is one, and no key; `extra` is the replica's own. */
const CREATE = `create table items (id int primary key, label text, at int generated always as identity,
                                    extra text default 'mine', twice int generated always as (at * 2) stored)`;

type Way = "in bulk" | "in order" | "as a piece";

async function apply(
  replica: Replica,
  events: readonly ReplicationEvent[],
  way: Way,
  table: Table = ITEMS,
): Promise<number> {
  if (way !== "as a piece")
    return (await replica.apply(events, { isOrdered: way === "in order", table })).conflicts;
  const target = await replica.session.openTransaction(never());
  const transactions = [{ xid: "1", position: position("0/1"), events }];
  const groups = [{ offset: offset(1), tables: new Map([[0, table]]), transactions }];
  const { conflicts } = await target.apply({ groups, folded: fold(groups) }, never());
  await target.commit(replica.session.progress ?? progressAt(0), never());
  return conflicts;
}

const everyWay = test.each<[Way]>([["in bulk"], ["in order"], ["as a piece"]]);

everyWay("rows come with their identity, and updates leave it as it is, %s", async (way) => {
  await using replica = await Replica.create(CREATE);
  await apply(replica, [insert("1", "one", "7"), insert("2", "two", "8"), insert("3", "three", "9")], way);
  await execute(replica.url, "update items set extra = 'kept' where id = 1");
  expect(await apply(replica, [update("1", "eins", "7")], way)).toBe(0);
  expect(
    await apply(replica, [update("1", "uno", "7"), update("2", "due", "8"), remove("3", 0, 0)], way),
  ).toBe(0);
  expect(await replica.items()).toEqual(["(1,uno,7,kept,14)", "(2,due,8,mine,16)"]);
});

everyWay(
  "an identity that the primary generated anew arrives, and what did not come stays, %s",
  async (way) => {
    await using replica = await Replica.create(CREATE);
    await apply(replica, [insert("1", "one", "7"), insert("2", "two", "8"), insert("3", "three", "9")], way);
    await execute(replica.url, "update items set extra = 'kept' where id = 1");
    expect(await apply(replica, [update("1", 0, "70")], way)).toBe(0);
    expect(await apply(replica, [update("2", "zwei", "80"), update("3", "drei", "9")], way)).toBe(0);
    expect(await replica.items()).toEqual([
      "(1,one,70,kept,140)",
      "(2,zwei,80,mine,160)",
      "(3,drei,9,mine,18)",
    ]);
  },
);

everyWay("of a table with nothing but a key and an identity too, %s", async (way) => {
  await using replica = await Replica.create(
    "create table items (id int primary key, at int generated always as identity)",
  );
  const table = { ...ITEMS, columns: ITEMS.columns.toSpliced(1, 1) };
  await apply(replica, [insert("1", "7"), insert("2", "8"), insert("3", "9")], way, table);
  await apply(replica, [update("1", "70"), update("2", "8")], way, table);
  await apply(replica, [update("3", "90")], way, table);
  expect(await replica.items()).toEqual(["(1,70)", "(2,8)", "(3,90)"]);
});

everyWay("a key that is one and was generated anew moves its row, %s", async (way) => {
  await using replica = await Replica.create(
    "create table items (id int generated always as identity primary key, label text, at int)",
  );
  await apply(replica, [insert("1", "one", "1"), insert("2", "two", "2")], way);
  await apply(replica, [{ kind: "update", table: 0, before: ["1", 0, 0], after: ["3", 0, "9"] }], way);
  await apply(replica, [{ kind: "update", table: 0, before: ["2", 0, 0], after: ["4", "vier", "4"] }], way);
  expect(await replica.items()).toEqual(["(3,one,9)", "(4,vier,4)"]);
});

everyWay("of a table without a key, %s", async (way) => {
  await using replica = await Replica.create(
    "create table items (id int, label text, at int generated always as identity)",
  );
  const table = { ...ITEMS, columns: ITEMS.columns.map((column) => ({ ...column, isKey: false })) };
  const change = (before: readonly string[], after: readonly string[]): ReplicationEvent => ({
    kind: "update",
    table: 0,
    before,
    after,
  });
  await apply(
    replica,
    [insert("1", "one", "1"), insert("1", "one", "2"), insert("1", "one", "2")],
    way,
    table,
  );
  await apply(replica, [change(["1", "one", "2"], ["1", "two", "2"])], way, table);
  await apply(replica, [change(["1", "two", "2"], ["1", "two", "5"])], way, table);
  expect(await replica.items()).toEqual(expect.arrayContaining(["(1,one,1)", "(1,one,2)", "(1,two,5)"]));
});

test.each([
  [{ kind: "primary_wins" }, ["(1,new,70,kept,140)", "(2,new,1,kept,2)"]],
  [{ kind: "latest_wins", column: "at" }, ["(1,new,70,kept,140)", "(2,old,8,kept,16)"]],
  [{ kind: "replica_wins" }, ["(1,old,7,kept,14)", "(2,old,8,kept,16)"]],
] as const)(
  "a row that is there already is overwritten, identity and all, by policy: %o",
  async (policy, expected) => {
    await using replica = await Replica.create(CREATE, policy);
    await execute(
      replica.url,
      "insert into items overriding system value values (1, 'old', 7, 'kept'), (2, 'old', 8, 'kept')",
    );
    expect(await apply(replica, [insert("1", "new", "70"), insert("2", "new", "1")], "in bulk")).toBe(2);
    expect(await replica.items()).toEqual(expected);
  },
);

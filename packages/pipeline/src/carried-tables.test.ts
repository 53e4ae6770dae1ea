import fc from "fast-check";
import { expect, test } from "vitest";
import {
  offset,
  position,
  type ComparePositions,
  type ReplicaTable,
  type ReplicaTableState,
  type ReplicationEvent,
  type Table,
} from "@lockstep/core";
import { CarriedTables, groupOf, placeOf, placeOfPieces } from "./carried-tables.ts";

const compare: ComparePositions = (left, right) =>
  Number(left) < Number(right) ? "before" : Number(left) > Number(right) ? "after" : "same";
/** A view's text lists what it contains. */
const source = {
  compare,
  contains: (view: { readonly text: string }, xid: string) => view.text.split(",").includes(xid),
};

const start = {
  epoch: { number: 1, id: "one" },
  position: position("1"),
  offset: offset(0),
  open: offset(0),
  run: "",
};
const copied = (through: number, ...xids: readonly number[]): ReplicaTableState =>
  copiedFrom(1, through, ...xids);
const copiedFrom = (at: number, through: number, ...xids: readonly number[]): ReplicaTableState => ({
  kind: "copied",
  mark: {
    view: { through: position(String(through)), text: xids.join(",") },
    start: { ...start, position: position(String(at)) },
  },
});
const replicaTable = (name: string, state: ReplicaTableState, joins = false): ReplicaTable => ({
  schema: "public",
  name,
  identity: name,
  state,
  joins,
});
const tableOf = (id: number, name: string, identity = name): Table => ({
  id,
  schema: "public",
  name,
  identity,
  columns: [],
});
const insert = (table: number): ReplicationEvent => ({ kind: "insert", table, after: [] });

test("of each table only what its copy lacks is taken; of one that is not copied, nothing", () => {
  const carried = new CarriedTables(
    [
      replicaTable("live", { kind: "live" }),
      replicaTable("copied", copied(50, 7)),
      replicaTable("pending", { kind: "pending" }),
      replicaTable("joins", copied(50), true),
    ],
    source,
  );
  const tables = new Map(["live", "copied", "pending", "joins"].map((name, id) => [id, tableOf(id, name)]));
  const events = [0, 1, 2, 3].map(insert);
  const taken = (xid: number, at: number): readonly ReplicationEvent[] =>
    carried.take(events, tables, placeOf(String(xid), position(String(at)), compare));
  expect(taken(7, 40)).toEqual([insert(0)]); // The copy has it.
  expect(taken(8, 40)).toEqual([insert(0), insert(1)]); // It ran, or waited, when the view was taken.
  expect(taken(7, 60)).toEqual([insert(0), insert(1)]); // Another transaction of the same id, long after.
});

test("a truncate of several tables is taken for those that it concerns", () => {
  const carried = new CarriedTables(
    [replicaTable("live", { kind: "live" }), replicaTable("copied", copied(50, 7))],
    source,
  );
  const tables = new Map([
    [0, tableOf(0, "live")],
    [1, tableOf(1, "copied")],
  ]);
  const truncate = { kind: "truncate", tables: [0, 1], restartIdentity: false } as const;
  const place = placeOf("7", position("40"), compare);
  expect(carried.take([truncate], tables, place)).toEqual([{ ...truncate, tables: [0] }]);
});

test("of a large transaction only the start of its commit is known: at the view's end it is not within", () => {
  const within = (commitStart: string): boolean =>
    placeOfPieces("7", position(commitStart), compare).isWithin(position("50"));
  expect([within("49"), within("50"), within("51")]).toEqual([true, false, false]);
});

test("another table of a known name is unknown", () => {
  const carried = new CarriedTables([replicaTable("items", { kind: "live" })], source);
  expect(carried.unknown([tableOf(0, "items", "another")])).toHaveLength(1);
  expect(carried.unknown([tableOf(0, "items")])).toHaveLength(0);
  const alone = new CarriedTables([], source, { isAlone: true });
  expect(alone.unknownIn(new Map([[0, tableOf(0, "items")]]))).toEqual([]);
  expect(
    alone.take([insert(0)], new Map([[0, tableOf(0, "items")]]), placeOf("1", position("1"), compare)),
  ).toEqual([]);
});

test("of a record's tables of one name the last counts: the replica can know only one of them", () => {
  const both = new Map([
    [0, tableOf(0, "items", "former")],
    [1, tableOf(1, "items", "new")],
  ]);
  const unknownTo = (identity: string): unknown[] =>
    new CarriedTables([{ ...replicaTable("items", { kind: "live" }), identity }], source).unknownIn(both);
  expect(unknownTo("former")).toEqual([both.get(1)]);
  expect(unknownTo("new")).toEqual([]);
});

test("tables have been passed only when every view of a first copy lies behind", () => {
  const carried = new CarriedTables(
    [
      replicaTable("one", copied(50)),
      replicaTable("two", copied(70)),
      replicaTable("joins", copied(90), true),
    ],
    source,
  );
  expect(carried.passed(position("60"))).toEqual([]);
  expect(carried.passed(position("70")).map(({ name }) => name)).toEqual(["one", "two"]);
  expect(carried.isWhole).toBe(false);
  expect(new CarriedTables([replicaTable("joins", copied(90), true)], source).isWhole).toBe(true);
});

test("joining tables are joinable once the replica has left both their views and their starts behind", () => {
  const carried = new CarriedTables(
    [
      replicaTable("view", copiedFrom(10, 50), true),
      replicaTable("start", copiedFrom(60, 50), true),
      replicaTable("first", copiedFrom(10, 50)),
    ],
    source,
  );
  const joinable = (at: string): string[] => carried.joinable(position(at)).map(({ name }) => name);
  expect([joinable("49"), joinable("50"), joinable("60")]).toEqual([[], ["view"], ["view", "start"]]);
});

test("agrees with a copy and a stream that know everything", () => {
  const transaction = fc.record({
    xid: fc.nat(30),
    tables: fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
  });
  const history = fc.array(transaction, { maxLength: 30 });
  fc.assert(
    fc.property(
      history,
      fc.array(fc.nat(29)),
      fc.nat(30),
      fc.nat(30),
      (committed, visible, through, from) => {
        // Position n is the n-th commit; a view contains any of those at or below `through`, by its own choice; a
        // catch-up has applied those that it lacks up to `from`.
        const inView = new Set(visible.filter((at) => at < through));
        const xids = committed.map((_, at) => 1_000 + at);
        const view = copiedFrom(from, through, ...[...inView].map((at) => 1_000 + at));
        const carried = new CarriedTables(
          ["a", "b", "c"].map((name) => replicaTable(name, view)),
          source,
        );
        const tables = new Map(["a", "b", "c"].map((name, id) => [id, tableOf(id, name)]));
        for (const [at, { tables: changed }] of committed.entries()) {
          const place = placeOf(String(xids[at]), position(String(at + 1)), compare);
          const events = changed.map(insert);
          const taken = carried.take(events, tables, place);
          const isCopied = (inView.has(at) && at + 1 <= through) || at + 1 <= from;
          expect(taken).toEqual(isCopied ? [] : events); // Each change is in the copy or applied, never both.
          const group = groupOf([{ events: taken }], tables);
          expect(new Set(group.tables.keys())).toEqual(new Set(isCopied ? [] : changed));
        }
      },
    ),
  );
});

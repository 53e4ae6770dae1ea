import { expect, test } from "vitest";
import {
  encodeRecord,
  offset,
  position,
  type ComparePositions,
  type Progress,
  type Table,
  type Transaction,
} from "@lockstep/core";
import { CarriedTables } from "./carried-tables.ts";
import { DecodedEntry } from "./decoded-entry.ts";
import { Window } from "./window.ts";

const compare: ComparePositions = (left, right) =>
  Number(left) < Number(right) ? "before" : Number(left) > Number(right) ? "after" : "same";

const TABLE: Table = {
  id: 0,
  schema: "public",
  name: "items",
  columns: [{ name: "id", type: "int32", nativeType: "integer", isKey: true }],
};

const ALTERED: Table = {
  ...TABLE,
  id: 1,
  columns: [{ name: "id", type: "int64", nativeType: "bigint", isKey: true }],
};

/** A record of the transactions that committed at these positions, each of which inserts its position. */
function entryOf(at: number, ...positions: readonly [number, ...number[]]): DecodedEntry {
  return entryUnder(
    at,
    positions.map((committed) => [committed, 0]),
  );
}

/** The same, with the definitions of the table under which each inserts. */
function entryUnder(
  at: number,
  committed: readonly (readonly [at: number, ...tables: number[]])[],
): DecodedEntry {
  const transactions = committed.map(([commit, ...tables]): Transaction => {
    const events = tables.map((table) => ({ kind: "insert" as const, table, after: [String(commit)] }));
    return { position: position(String(commit)), xid: String(commit), committedAtUs: 0, events };
  });
  const [first, ...rest] = transactions;
  if (first === undefined) throw new Error("no transaction");
  const last = rest.at(-1) ?? first;
  const record = {
    kind: "transactions" as const,
    tables: new Map([TABLE, ALTERED].map((table) => [table.id, table])),
    transactions: [first, ...rest] as const,
    previous: position("0"),
    position: last.position,
    last: { position: last.position, xid: last.xid, committedAtUs: 0 },
  };
  const stamp = { epoch: { number: 1, id: "one" }, run: "run", open: offset(0) };
  return new DecodedEntry({ offset: offset(at), ...encodeRecord(record, stamp) });
}

const NAME = { schema: TABLE.schema, name: TABLE.name };
const carried = new CarriedTables([{ ...NAME, state: { kind: "live" }, joins: false }], {
  compare,
  contains: () => false,
});

const progress: Progress = {
  epoch: { number: 1, id: "one" },
  position: position("9"),
  offset: offset(1),
  open: offset(0),
  run: "run",
};

test("of a record only what lies above the position is applied (A2)", () => {
  const window = new Window(compare);
  window.add(entryOf(1, 1, 2, 3), position("2"), carried);
  const [{ groups, folded } = {}] = window.take(progress);
  expect(groups?.flatMap(({ transactions }) => transactions)).toMatchObject([{ xid: "3" }]);
  expect(folded).toMatchObject({ kind: "bulk", tables: [{ inserts: [["3"]] }] });
});

test("records that queued up are folded together; taking begins anew", () => {
  const window = new Window(compare);
  window.add(entryOf(1, 1, 2), position("0"), carried);
  window.add(entryOf(2, 3), position("2"), carried);
  const [{ folded } = {}] = window.take(progress);
  expect(folded).toMatchObject({ kind: "bulk", tables: [{ inserts: [["1"], ["2"], ["3"]] }] });
  expect(window.isEmpty).toBe(true);
  window.add(entryOf(3, 4), position("3"), carried);
  expect(window.take(progress)).toMatchObject([{ folded: { tables: [{ inserts: [["4"]] }] } }]);
});

test("a record taken whole is folded once for every replica", () => {
  const entry = entryOf(1, 1, 2);
  const [one, other] = [new Window(compare), new Window(compare)].map((window) => {
    window.add(entry, position("0"), carried);
    return window.take(progress)[0]?.folded;
  });
  expect(one).toBeDefined();
  expect(one).toBe(other);
});

test("where a table changes its columns a window is cut, also within a record, and never within a transaction", () => {
  const window = new Window(compare);
  window.add(entryUnder(4, [[1, 0]]), position("0"), carried);
  window.add(
    entryUnder(5, [
      [2, 0],
      [3, 0, 1],
      [4, 1],
    ]),
    position("1"),
    carried,
  );
  window.add(entryUnder(6, [[9, 1]]), position("4"), carried);
  const windows = window.take(progress);
  const inserted = windows.map(({ groups }) =>
    groups.flatMap(({ transactions }) =>
      transactions.flatMap(({ events }) => events.map((event) => ("after" in event ? event.after[0] : null))),
    ),
  );
  expect(inserted).toEqual([
    ["1", "2"],
    ["3", "3", "4", "9"],
  ]);
  // A restart finds the rest in the record that it has not read to its end (A2).
  expect(windows.map((part) => part.progress)).toEqual([
    { ...progress, position: "2", offset: offset(5), open: offset(0), run: "run" },
    progress,
  ]);
});

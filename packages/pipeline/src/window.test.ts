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

/** A record of the transactions that committed at these positions, each of which inserts its position. */
function entryOf(at: number, ...positions: readonly [number, ...number[]]): DecodedEntry {
  const transactions = positions.map((committed): Transaction => {
    const events = [{ kind: "insert" as const, table: 0, after: [String(committed)] }];
    return { position: position(String(committed)), xid: String(committed), committedAtUs: 0, events };
  });
  const [first, ...rest] = transactions;
  if (first === undefined) throw new Error("no transaction");
  const last = rest.at(-1) ?? first;
  const record = {
    kind: "transactions" as const,
    tables: new Map([[0, TABLE]]),
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
  const { groups, folded } = window.take(progress);
  expect(groups.flatMap(({ transactions }) => transactions)).toMatchObject([{ xid: "3" }]);
  expect(folded).toMatchObject({ kind: "bulk", tables: [{ inserts: [["3"]] }] });
});

test("records that queued up are folded together; taking begins anew", () => {
  const window = new Window(compare);
  window.add(entryOf(1, 1, 2), position("0"), carried);
  window.add(entryOf(2, 3), position("2"), carried);
  const { folded } = window.take(progress);
  expect(folded).toMatchObject({ kind: "bulk", tables: [{ inserts: [["1"], ["2"], ["3"]] }] });
  expect(window.isEmpty).toBe(true);
  window.add(entryOf(3, 4), position("3"), carried);
  expect(window.take(progress).folded).toMatchObject({ tables: [{ inserts: [["4"]] }] });
});

test("a record taken whole is folded once for every replica", () => {
  const entry = entryOf(1, 1, 2);
  const [one, other] = [new Window(compare), new Window(compare)].map((window) => {
    window.add(entry, position("0"), carried);
    return window.take(progress).folded;
  });
  expect(one).toBe(other);
});

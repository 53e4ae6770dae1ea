import fc from "fast-check";
import { expect, test } from "vitest";
import {
  NOT_CARRIED,
  type Cell,
  type ReplicationEvent,
  type Row,
  type Table,
  type Transaction,
} from "../event.ts";
import { fold, type FoldedTable } from "./fold.ts";
import { offset } from "../offset.ts";
import { changesOneByOne } from "./one-by-one.ts";
import { position } from "../position.ts";

/*
 * The promise of folding: whatever the history, the folded form leaves the tables as the changes one by one
 * would. The model below applies both to the same starting rows, and insists that each change meets exactly
 * the row it names.
 */

const column = (name: string, isKey: boolean): Table["columns"][number] => ({
  name,
  type: "string",
  nativeType: "text",
  isKey,
});
const TABLES: readonly Table[] = [
  {
    id: 0,
    schema: "public",
    name: "single",
    columns: [column("k", true), column("a", false), column("b", false)],
  },
  {
    id: 1,
    schema: "public",
    name: "double",
    columns: [column("a", false), column("k1", true), column("k2", true)],
  },
];

type Rows = Map<string, Row>;
type Model = readonly Rows[];

const keyColumnsOf = (table: Table): number[] =>
  table.columns.flatMap(({ isKey }, index) => (isKey ? [index] : []));
const keyOf = (table: Table, row: Row): string =>
  JSON.stringify(keyColumnsOf(table).map((index) => row[index]));
const merged = (row: Row, after: Row): Row =>
  after.map((cell, index) => (cell === NOT_CARRIED ? (row[index] ?? null) : cell));

function applyEvent(model: Model, event: ReplicationEvent): void {
  if (event.kind === "schema") return;
  if (event.kind === "truncate") {
    for (const id of event.tables) model[id]?.clear();
    return;
  }
  const [table, rows] = [TABLES[event.table], model[event.table]];
  if (table === undefined || rows === undefined) throw new Error("no such table");
  if (event.kind === "insert") return insert(table, rows, event.after);
  if (event.kind === "delete") return remove(rows, keyOf(table, event.before));
  const key = keyOf(table, event.before ?? event.after);
  const row = rows.get(key);
  if (row === undefined) throw new Error(`an update misses ${key}`);
  rows.delete(key);
  insert(table, rows, merged(row, event.after));
}

function applyFolded(model: Model, tables: readonly FoldedTable[]): void {
  for (const folded of tables) {
    const rows = model[folded.table.id];
    if (rows === undefined) throw new Error("no such table");
    if (folded.isTruncated) rows.clear();
    for (const row of folded.deletes) remove(rows, keyOf(folded.table, row));
    for (const after of folded.updates.flat()) {
      const key = keyOf(folded.table, after);
      const row = rows.get(key);
      if (row === undefined) throw new Error(`a folded update misses ${key}`);
      rows.set(key, merged(row, after));
    }
    for (const row of folded.inserts) insert(folded.table, rows, row);
  }
}

function insert(table: Table, rows: Rows, row: Row): void {
  const key = keyOf(table, row);
  if (rows.has(key)) throw new Error(`an insert finds ${key}`);
  expect(row).not.toContain(NOT_CARRIED);
  rows.set(key, row);
}

function remove(rows: Rows, key: string): void {
  if (!rows.delete(key)) throw new Error(`a delete misses ${key}`);
}

interface Step {
  readonly table: number;
  readonly kind: "insert" | "update" | "move" | "delete" | "truncate";
  readonly pick: number;
  readonly keys: readonly [string, string];
  readonly values: readonly [string | null, string | null];
  readonly carries: boolean;
}

const cell = fc.constantFrom("", "x", "1:x", "y");
const values = fc.tuple(fc.option(cell), fc.option(cell));
const kinds = fc.constantFrom<Step["kind"]>(
  "insert",
  "insert",
  "update",
  "update",
  "move",
  "delete",
  "truncate",
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    table: fc.nat({ max: 1 }),
    kind: kinds,
    pick: fc.nat(),
    keys: fc.tuple(cell, cell),
    values,
    carries: fc.boolean(),
  }),
  { maxLength: 60 },
);

/** A change that is valid in the model's present state, or null. */
function eventOf(step: Step, model: Model): ReplicationEvent | null {
  const [table, rows] = [TABLES[step.table], model[step.table]];
  if (table === undefined || rows === undefined) return null;
  if (step.kind === "truncate") {
    return step.pick % 4 === 0
      ? { kind: "truncate", tables: step.pick % 8 === 0 ? [0, 1] : [step.table], restartIdentity: false }
      : null;
  }
  const fresh = rowOf(table, step);
  const isTaken = rows.has(keyOf(table, fresh));
  if (step.kind === "insert") return isTaken ? null : { kind: "insert", table: table.id, after: fresh };
  const existing = [...rows.values()][step.pick % Math.max(1, rows.size)];
  if (existing === undefined) return null;
  const keyRow = existing.map((value, index): Cell =>
    table.columns[index]?.isKey === true ? value : NOT_CARRIED,
  );
  if (step.kind === "delete") return { kind: "delete", table: table.id, before: keyRow };
  const after = fresh.map((value, index): Cell => {
    if (table.columns[index]?.isKey === true) return step.kind === "move" ? value : (existing[index] ?? null);
    return step.carries || index % 2 === 0 ? value : NOT_CARRIED;
  });
  if (step.kind === "update") return { kind: "update", table: table.id, after };
  return isTaken ? null : { kind: "update", table: table.id, after, before: keyRow };
}

function rowOf(table: Table, step: Step): Row {
  let [key, value] = [0, 0];
  return table.columns.map(({ isKey }) =>
    isKey ? (step.keys[key++] ?? "") : (step.values[value++] ?? null),
  );
}

function history(all: readonly Step[], model: Model): ReplicationEvent[] {
  return all.flatMap((step) => {
    const event = eventOf(step, model);
    if (event === null) return [];
    applyEvent(model, event);
    return [event];
  });
}

const copyOf = (model: Model): Rows[] => model.map((rows) => new Map(rows));
const byId = new Map(TABLES.map((table) => [table.id, table]));

function transactionsOf(events: readonly ReplicationEvent[], size: number): Transaction[] {
  const transactions: Transaction[] = [];
  for (let at = 0; at < events.length; at += size) {
    transactions.push({
      position: position(String(at)),
      xid: "1",
      committedAtUs: 0,
      events: events.slice(at, at + size),
    });
  }
  return transactions;
}

test("a folded window leaves every table as its changes one by one would", () => {
  let [bulk, mixed, ordered] = [0, 0, 0];
  fc.assert(
    fc.property(steps, steps, fc.integer({ min: 1, max: 7 }), (before, during, size) => {
      const model: Rows[] = TABLES.map(() => new Map());
      history(before, model);
      const start = copyOf(model);
      const events = history(during, model);
      const transactions = transactionsOf(events, size);
      const half = Math.floor(transactions.length / 2);
      const groups = [
        { offset: offset(0), tables: byId, transactions: transactions.slice(0, half) },
        { offset: offset(1), tables: new Map(byId), transactions: transactions.slice(half) },
      ];
      const folded = fold(groups);
      const oneByOne = changesOneByOne({ groups, folded }, null);
      if (folded.kind === "ordered") ordered += 1;
      else if (oneByOne === null) bulk += 1;
      else mixed += 1;
      if (oneByOne !== null) expect(oneByOne.reason).toBe("a key changed and not every column was carried");
      if (folded.kind === "bulk") applyFolded(start, folded.tables);
      for (const { transactions: left } of oneByOne?.groups ?? [])
        for (const event of left.flatMap((transaction) => transaction.events)) applyEvent(start, event);
      expect(start).toEqual(model);
    }),
    { numRuns: 3_000 },
  );
  expect(bulk).toBeGreaterThan(ordered + mixed); // The property would be empty if nearly nothing were folded.
  expect(mixed).toBeGreaterThan(10);
});

test("what could not have happened is left to the row-by-row form", () => {
  const reasonOf = (...events: readonly ReplicationEvent[]): string => {
    const folded = fold([{ tables: byId, transactions: transactionsOf(events, 1) }]);
    return folded.kind === "ordered" ? folded.reason : "folded";
  };
  const row = ["1", "a", "b"];
  const insertion: ReplicationEvent = { kind: "insert", table: 0, after: row };
  const deletion: ReplicationEvent = { kind: "delete", table: 0, before: row };
  const truncation: ReplicationEvent = { kind: "truncate", tables: [0], restartIdentity: true };
  expect(reasonOf(insertion, insertion)).toBe("a row was inserted twice");
  expect(reasonOf(deletion, deletion)).toBe("a deleted row was deleted");
  expect(reasonOf(deletion, { kind: "update", table: 0, after: row })).toBe("a deleted row was updated");
  expect(reasonOf(truncation, { kind: "update", table: 0, after: row })).toBe(
    "a row was updated after a truncate",
  );
  expect(reasonOf(truncation, deletion)).toBe("a row was deleted after a truncate");
  expect(reasonOf({ kind: "insert", table: 0, after: [null, "a", "b"] })).toBe("a key cell is missing");
});

test("another definition of a table ends folding", () => {
  const altered: Table = { id: 5, schema: "public", name: "single", columns: [column("k", true)] };
  const folded = fold([
    { tables: byId, transactions: transactionsOf([{ kind: "insert", table: 0, after: ["1", "a", "b"] }], 1) },
    {
      tables: new Map([[5, altered]]),
      transactions: transactionsOf([{ kind: "insert", table: 5, after: ["2"] }], 1),
    },
  ]);
  expect(folded).toEqual({ kind: "ordered", reason: "public.single changed its columns" });
});

test("tables whose names run together are two tables", () => {
  const columns = [{ name: "id", type: "int32", nativeType: "integer", isKey: true }] as const;
  const tables = new Map<number, Table>([
    [0, { id: 0, schema: "a.b", name: "c", columns }],
    [1, { id: 1, schema: "a", name: "b.c", columns }],
  ]);
  const events: ReplicationEvent[] = [0, 1].map((table) => ({
    kind: "insert",
    table,
    after: [String(table)],
  }));
  const folded = fold([{ tables, transactions: [{ events }] }]);
  if (folded.kind !== "bulk") return expect.unreachable();
  expect(folded.tables.map(({ table, inserts }) => [table.schema, inserts])).toEqual([
    ["a.b", [["0"]]],
    ["a", [["1"]]],
  ]);
});

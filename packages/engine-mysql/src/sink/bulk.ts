import type { Folded, FoldedTable, Row } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { runChanges, type Change, type Opening } from "./packets.ts";
import { LoadedRows, mayLoad, MIN_LOADED_ROWS } from "./loaded-rows.ts";
import {
  cellSql,
  columnOf,
  comparedSql,
  settableColumns,
  writtenColumns,
  type TablePlan,
} from "./table-plan.ts";
import type { TargetKind } from "./target-type.ts";

/** Measured: more rows a statement gain nothing. */
const MAX_ROWS = 1_000;
const MAX_STATEMENT_CHARS = 1024 * 1024;

type Bulk = Extract<Folded, { kind: "bulk" }>;

/**
 * Applies a folded window inside the caller's transaction, or the one that `opening` begins: truncates, then table by
 * table deletes, updates, inserts.
 * Each must meet exactly the rows that it names, and no value may be changed in silence; where that is not so it
 * rejects, and the window is to be rolled back, and applied in order instead.
 */
export async function applyBulk(
  connected: Connected,
  folded: Bulk,
  planOf: (table: FoldedTable) => TablePlan,
  opening: Opening | null = null,
): Promise<void> {
  const { session, server } = connected;
  const truncated = folded.tables.filter(({ isTruncated }) => isTruncated);
  let first = opening;
  if (truncated.length > 0) {
    if (first !== null) first.check(await session.run(first.sql));
    first = null;
    // TRUNCATE would commit (A3): rows are deleted instead.
    for (const table of truncated) await session.run(`delete from ${planOf(table).quoted}`);
  }
  const { maxPacketBytes } = server;
  await runChanges(session, bulkChanges(connected, folded, planOf), { maxPacketBytes, opening: first });
}

function* bulkChanges(
  connected: Connected,
  folded: Bulk,
  planOf: (table: FoldedTable) => TablePlan,
): Generator<Change> {
  for (const table of folded.tables) {
    const plan = planOf(table);
    yield* deletes(plan, table.deletes);
    for (const rows of table.updates) yield* updates(plan, rows);
    const isLoaded = table.inserts.length >= MIN_LOADED_ROWS && mayLoad(connected);
    if (isLoaded) yield loaded(plan, table.inserts);
    else yield* inserts(plan, table.inserts);
  }
}

function* deletes(plan: TablePlan, rows: readonly Row[]): Generator<Change> {
  const columns = plan.keyColumns.map((index) => [columnOf(plan, index), index] as const);
  const names = columns.map(([{ quoted }]) => quoted).join(", ");
  const key = columns.length === 1 ? names : `(${names})`;
  for (const { texts, count } of chunks(rows, (row) => {
    const values = columns.map(([column, index]) => comparedSql(column, row[index])).join(",");
    return columns.length === 1 ? values : `(${values})`;
  })) {
    yield { sql: `delete from ${plan.quoted} where ${key} in (${texts})`, rows: count };
  }
}

function* inserts(plan: TablePlan, rows: readonly Row[]): Generator<Change> {
  const columns = writtenColumns(plan).map((index) => [columnOf(plan, index), index] as const);
  const names = columns.map(([{ quoted }]) => quoted).join(", ");
  for (const { texts, count } of chunks(rows, (row) => {
    let values = "";
    for (const [column, index] of columns)
      values += (values === "" ? "(" : ",") + cellSql(column, row[index]);
    return `${values})`;
  })) {
    yield { sql: `insert into ${plan.quoted} (${names}) values ${texts}`, rows: count };
  }
}

function loaded(plan: TablePlan, rows: readonly Row[]): Change {
  const lines = new LoadedRows(plan, plan.quoted, writtenColumns(plan));
  return { sql: lines.sql, rows: rows.length, file: lines.texts(rows) };
}

/** A list of rows joined by their key; nothing where the rows carry nothing but that. */
function* updates(plan: TablePlan, rows: readonly Row[]): Generator<Change> {
  const settable = settableColumns(plan, rows[0] ?? []);
  if (settable.length === 0) return;
  const all = [...plan.keyColumns, ...settable];
  const assignments = settable.map((index) => `t.${columnOf(plan, index).quoted} = v.c${index}`).join(", ");
  const condition = plan.keyColumns.map((index) => keyCondition(plan, index)).join(" and ");
  const names = all.map((index) => `null as c${index}`).join(",");
  for (const { texts, count } of chunks(rows, (row) => {
    const key = plan.keyColumns.map((index) => comparedSql(columnOf(plan, index), row[index]));
    const values = settable.map((index) => cellSql(columnOf(plan, index), row[index]));
    return `${plan.rowWord}(${[...key, ...values].join(",")})`;
  })) {
    const list = `(select ${names} from dual where false union all values ${texts}) as v`;
    // The list first: rows are then found by their key, whatever the statistics say.
    const sql = `update ${list} straight_join ${plan.quoted} as t on ${condition} set ${assignments}`;
    yield { sql, rows: count };
  }
}

/** A list's texts have no type of their own. */
function keyCondition(plan: TablePlan, index: number): string {
  const { quoted, kind, charset, collation } = columnOf(plan, index);
  const given = `v.c${index}`;
  if (charset !== null && collation !== null)
    return `t.${quoted} = convert(${given} using ${charset}) collate ${collation}`;
  const type = kind === null ? undefined : TEMPORAL[kind];
  return `t.${quoted} = ${type === undefined ? given : `cast(${given} as ${type})`}`;
}

const TEMPORAL: Readonly<Partial<Record<TargetKind, string>>> = {
  date: "date",
  time: "time(6)",
  datetime: "datetime(6)",
  timestamp: "datetime(6)",
};

function* chunks(
  rows: readonly Row[],
  toSql: (row: Row) => string,
): Generator<{ readonly texts: string; readonly count: number }> {
  let texts: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const text = toSql(row);
    if (texts.length > 0 && (texts.length === MAX_ROWS || chars + text.length > MAX_STATEMENT_CHARS)) {
      yield { texts: texts.join(","), count: texts.length };
      [texts, chars] = [[], 0];
    }
    texts.push(text);
    chars += text.length + 1;
  }
  if (texts.length > 0) yield { texts: texts.join(","), count: texts.length };
}

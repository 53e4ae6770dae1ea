import { NOT_CARRIED, tableKey, tableLabel, type EventGroup, type Row, type Table } from "../event.ts";
import type { ReplicationEvent } from "../event.ts";
import { FoldedRows } from "./folded-rows.ts";

/**
 * The net effect of a window, per table and key. Where order does not allow one for some tables, the changes of those
 * are applied one by one, behind the others' rows and in the same target transaction. `ordered` says that no table has
 * one, or that a definition changes: then the window must be applied change by change.
 */
export type Folded =
  | {
      readonly kind: "bulk";
      readonly tables: readonly FoldedTable[];
      readonly unfolded: readonly UnfoldedTable[];
    }
  | { readonly kind: "ordered"; readonly reason: string };

export interface UnfoldedTable {
  readonly table: Table;
  readonly reason: string;
}

/**
 * Applied in this order: truncate, deletes, updates, inserts. Deletes and updates name rows that existed
 * before the window, each key once in the whole.
 */
export interface FoldedTable {
  readonly table: Table;
  readonly isTruncated: boolean;
  readonly restartIdentity: boolean;
  /** Rows of which only the key cells mean anything. */
  readonly deletes: readonly Row[];
  /** Grouped by which columns they carry: in one group every row carries the same. */
  readonly updates: readonly (readonly Row[])[];
  /** Whole rows. */
  readonly inserts: readonly Row[];
}

/** Folds transactions given in source order. Pure. */
export function fold(groups: readonly EventGroup[]): Folded {
  const tables = new Map<string, FoldedRows>();
  for (const group of groups) {
    const byId = new Map<number, FoldedRows>();
    for (const transaction of group.transactions) {
      for (const event of transaction.events) {
        const reason = foldEvent(event, group, byId, tables);
        if (reason !== null) return { kind: "ordered", reason };
      }
    }
  }
  return resultOf([...tables.values()]);
}

function resultOf(all: readonly FoldedRows[]): Folded {
  const tables: FoldedTable[] = [];
  const unfolded: UnfoldedTable[] = [];
  for (const rows of all) {
    const { table, reason } = rows;
    if (reason === null) tables.push(rows.result());
    else unfolded.push({ table, reason });
  }
  const [first] = unfolded;
  if (first === undefined || tables.length > 0) return { kind: "bulk", tables, unfolded };
  return { kind: "ordered", reason: first.reason };
}

/** Returns why nothing of the window can be folded, or null. */
function foldEvent(
  event: ReplicationEvent,
  group: EventGroup,
  byId: Map<number, FoldedRows>,
  tables: Map<string, FoldedRows>,
): string | null {
  if (event.kind === "truncate") {
    for (const id of event.tables) {
      const rows = byId.get(id) ?? rowsOf(id, group, byId, tables);
      if (typeof rows === "string") return rows;
      rows.truncate(event.restartIdentity);
    }
    return null;
  }
  const rows = byId.get(event.table) ?? rowsOf(event.table, group, byId, tables);
  if (typeof rows === "string") return rows;
  rows.change(event);
  return null;
}

function rowsOf(
  id: number,
  group: EventGroup,
  byId: Map<number, FoldedRows>,
  tables: Map<string, FoldedRows>,
): FoldedRows | string {
  const table = group.tables.get(id);
  if (table === undefined) throw new TypeError(`an event names table ${id}, which its batch does not have`);
  const key = tableKey(table);
  let rows = tables.get(key);
  if (rows === undefined) tables.set(key, (rows = new FoldedRows(table)));
  else if (!sameColumns(rows.table, table)) return `${tableLabel(table)} changed its columns`;
  byId.set(id, rows);
  return rows;
}

/** True when both definitions give each cell the same meaning. */
export function sameColumns(left: Table, right: Table): boolean {
  if (left === right) return true;
  if (left.columns.length !== right.columns.length) return false;
  return left.columns.every((column, index) => {
    const other = right.columns[index];
    return (
      other !== undefined &&
      column.name === other.name &&
      column.nativeType === other.nativeType &&
      column.type === other.type &&
      column.isKey === other.isKey
    );
  });
}

/** True when every cell was carried. */
export function isWhole(row: Row): boolean {
  return !row.includes(NOT_CARRIED);
}

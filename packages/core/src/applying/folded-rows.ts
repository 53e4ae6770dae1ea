import { NOT_CARRIED, tableLabel, type Cell, type ReplicationEvent, type Row, type Table } from "../event.ts";
import type { FoldedTable } from "./fold.ts";
import { unreachable } from "../unreachable.ts";

/** What became of one key. `existed`: a row with it was there before the window. */
interface Net {
  readonly existed: boolean;
  /** Null: no row with the key now. */
  row: Row | null;
  /** A row that carries the key cells. */
  readonly keyRow: Row;
}

/** The net effect of a window on one table, as long as there is one. */
export class FoldedRows {
  readonly table: Table;
  readonly keyColumns: readonly number[];
  readonly #nets = new Map<string, Net>();
  /** Of a table without a key: nothing tells its rows apart, so only inserts can be put together. */
  readonly #keyless: Row[] = [];
  readonly #singleKey: number | null;
  #isTruncated = false;
  #restartIdentity = false;
  #reason: string | null = null;

  constructor(table: Table) {
    this.table = table;
    this.keyColumns = table.columns.flatMap((column, index) => (column.isKey ? [index] : []));
    const [first, ...others] = this.keyColumns;
    this.#singleKey = first !== undefined && others.length === 0 ? first : null;
  }

  /** Why an event could not be folded; null while all could. */
  get reason(): string | null {
    return this.#reason;
  }

  change(event: Exclude<ReplicationEvent, { readonly kind: "truncate" }>): void {
    if (this.#reason !== null) return;
    this.#reason = this.#change(event);
    if (this.#reason !== null) this.#clear();
  }

  #change(event: Exclude<ReplicationEvent, { readonly kind: "truncate" }>): string | null {
    switch (event.kind) {
      case "insert":
        return this.#insert(event.after);
      case "update":
        return this.#update(event.before, event.after);
      case "delete":
        return this.#deleteRow(event.before);
      case "schema":
        return null;
      default:
        return unreachable(event);
    }
  }

  #insert(after: Row): string | null {
    if (this.keyColumns.length === 0) {
      this.#keyless.push(after);
      return null;
    }
    const key = this.#keyOf(after);
    if (key === null) return "a key cell is missing";
    const net = this.#nets.get(key);
    if (net === undefined) {
      this.#nets.set(key, { existed: false, row: after, keyRow: after });
      return null;
    }
    if (net.row !== null) return "a row was inserted twice";
    net.row = after;
    return null;
  }

  #update(before: Row | undefined, after: Row): string | null {
    if (this.keyColumns.length === 0) return `${tableLabel(this.table)} has no key`;
    const key = this.#keyOf(after);
    if (key === null) return "a key cell is missing";
    if (before !== undefined) {
      const formerKey = this.#keyOf(before);
      if (formerKey === null) return "a key cell is missing";
      if (formerKey !== key) return this.#move(formerKey, before, after);
    }
    const net = this.#nets.get(key);
    if (net === undefined) {
      if (this.#isTruncated) return "a row was updated after a truncate";
      this.#nets.set(key, { existed: true, row: after, keyRow: after });
      return null;
    }
    if (net.row === null) return "a deleted row was updated";
    net.row = merge(net.row, after);
    return null;
  }

  #deleteRow(before: Row): string | null {
    if (this.keyColumns.length === 0) return `${tableLabel(this.table)} has no key`;
    const key = this.#keyOf(before);
    if (key === null) return "a key cell is missing";
    return this.#delete(key, before);
  }

  truncate(restartIdentity: boolean): void {
    this.#clear();
    this.#isTruncated = true;
    this.#restartIdentity ||= restartIdentity;
  }

  #clear(): void {
    this.#nets.clear();
    this.#keyless.length = 0;
  }

  result(): FoldedTable {
    const deletes: Row[] = [];
    const inserts: Row[] = [...this.#keyless];
    const updates = new Map<string, Row[]>();
    for (const net of this.#nets.values()) {
      if (net.row === null) {
        if (net.existed) deletes.push(net.keyRow);
      } else if (!net.existed) inserts.push(net.row);
      else {
        const carried = carriedColumns(net.row);
        const group = updates.get(carried);
        if (group === undefined) updates.set(carried, [net.row]);
        else group.push(net.row);
      }
    }
    return {
      table: this.table,
      isTruncated: this.#isTruncated,
      restartIdentity: this.#restartIdentity,
      deletes,
      updates: [...updates.values()],
      inserts,
    };
  }

  /** A changed key is a delete and an insert, where the whole new row is known. */
  #move(formerKey: string, before: Row, after: Row): string | null {
    const former = this.#nets.get(formerKey)?.row ?? null;
    const row = former === null ? after : merge(former, after);
    if (row.includes(NOT_CARRIED)) return "a key changed and not every column was carried";
    return this.#delete(formerKey, before) ?? this.#insert(row);
  }

  #delete(key: string, before: Row): string | null {
    const net = this.#nets.get(key);
    if (net === undefined) {
      if (this.#isTruncated) return "a row was deleted after a truncate";
      this.#nets.set(key, { existed: true, row: null, keyRow: before });
      return null;
    }
    if (net.row === null) return "a deleted row was deleted";
    net.row = null;
    return null;
  }

  /** The key as one text, unambiguous for keys of several columns; null when a cell of it is missing. */
  #keyOf(row: Row): string | null {
    if (this.#singleKey !== null) return keyText(row[this.#singleKey]);
    let key = "";
    for (const index of this.keyColumns) {
      const cell = keyText(row[index]);
      if (cell === null) return null;
      key += `${cell.length}:${cell}`;
    }
    return key;
  }
}

function keyText(cell: Cell | undefined): string | null {
  return typeof cell === "string" ? cell : null;
}

function merge(row: Row, after: Row): Row {
  if (!after.includes(NOT_CARRIED)) return after;
  return after.map((cell, index) => (cell === NOT_CARRIED ? (row[index] ?? null) : cell));
}

function carriedColumns(row: Row): string {
  if (!row.includes(NOT_CARRIED)) return "";
  return row.map((cell) => (cell === NOT_CARRIED ? "0" : "1")).join("");
}

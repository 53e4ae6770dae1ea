import {
  NOT_CARRIED,
  ReplicationError,
  tableLabel,
  type Cell,
  type ReplicationEvent,
  type Row,
} from "@lockstep/core";
import { readCarried, type Carried } from "./carried.ts";
import { inflate, RowTooLong } from "./compressed.ts";
import { Cursor, RowLimitReached } from "./cursor.ts";
import { columnsLeftNull, expectCarried, nothingCarried } from "./incomplete-rows.ts";
import { readPartialRow } from "./partial-rows.ts";
import type { MappedTable, TableMaps } from "./table-map.ts";

/*
 * Rows of one table, as they were written, updated or deleted:
 *
 *     Int48 table id  Int16 flags, 1 = the statement's last
 *     version 2: Int16 length of extra data, its own two bytes included  extra data
 *     packed number of columns
 *     a bit each, lowest first: carried; of an update once for the old rows and once for the new ones
 *     rows to the end: a bit for each carried column, lowest first: is NULL; values; an update has pairs
 *
 * MariaDB's compressed forms end in one block: Int8 head, lowest three bits n; Int8[n] length, big-endian;
 * zlib's bytes of all rows.
 */
const STATEMENT_END = 1;
/** Closes a statement without rows. */
const NO_TABLE = 0xff_ffff;
/** The server gathers rows up to `binlog_row_event_max_size`; a larger row has an event of its own. */
export const MAX_GATHERED_BYTES: number = 64 * 1024 * 1024;

type RowChange = "insert" | "update" | "delete";

export interface RowsForm {
  readonly change: RowChange;
  readonly version: 1 | 2;
  readonly isCompressed: boolean;
  /** MySQL: new rows may have changes to JSON documents instead of them; see partial-rows.ts. */
  readonly isPartial?: boolean;
}

export interface DecodedRows {
  readonly mapped: MappedTable;
  readonly events: ReplicationEvent[];
  readonly isStatementEnd: boolean;
}

/** Those of an update: of the old rows and of the new ones. */
interface Images {
  readonly first: Carried;
  readonly second: Carried;
  readonly isPartial: boolean;
}

export interface RowsOptions {
  readonly maxRowBytes: number;
  /** Old rows whole, as far as the log has them; else of a table with a key only the key, where it changed. */
  readonly wholeBefore: boolean;
}

/** Reads rows events. */
export class RowsReader {
  readonly #maps: TableMaps;
  readonly #options: RowsOptions;
  /** What is read of the row under way, for an error that names its key. */
  #cells: Cell[] = [];

  constructor(maps: TableMaps, options: RowsOptions) {
    this.#maps = maps;
    this.#options = options;
  }

  /** Null where nothing of it is wanted. */
  read(cursor: Cursor, form: RowsForm): DecodedRows | null {
    const tableId = cursor.uint48();
    const isStatementEnd = (cursor.uint16() & STATEMENT_END) !== 0;
    const mapped = this.#maps.find(tableId);
    if (mapped === null || (mapped === undefined && tableId === NO_TABLE)) return null;
    if (mapped === undefined)
      throw new ReplicationError(
        "protocol-violation",
        `rows came for table ${tableId}, which no table map names`,
      );
    this.#cells = [];
    try {
      const events = this.#rows(cursor, form, mapped);
      const { keeps } = mapped;
      const kept = keeps === null ? events : events.map((event) => keptOf(event, keeps));
      return { mapped, events: kept, isStatementEnd };
    } catch (error) {
      if (error instanceof RowLimitReached || error instanceof RowTooLong)
        throw this.#tooLarge(mapped, error);
      throw error;
    }
  }

  /** False for a table that is not wanted. Rejects if no two rows and what is gathered with them are so large. */
  expectBytes(tableId: number, bytes: number): boolean {
    const { maxRowBytes } = this.#options;
    const mapped = this.#maps.find(tableId);
    if (mapped === null) return false;
    if (mapped === undefined || bytes <= 2 * maxRowBytes + MAX_GATHERED_BYTES) return true;
    this.#cells = [];
    throw this.#tooLarge(mapped, new RowTooLong(bytes));
  }

  #rows(
    cursor: Cursor,
    { change, version, isCompressed, isPartial = false }: RowsForm,
    mapped: MappedTable,
  ): ReplicationEvent[] {
    if (version === 2) {
      const extra = cursor.uint16() - 2;
      if (extra < 0) throw new RangeError("extra data shorter than its length");
      cursor.take(extra);
    }
    const count = cursor.packed();
    if (count !== mapped.readers.length)
      throw new RangeError(`rows of ${count} columns for a table of ${mapped.readers.length}`);
    const first = readCarried(cursor, count);
    const second = change === "update" ? readCarried(cursor, count) : first;
    const rows = isCompressed ? this.#inflated(cursor) : cursor;
    if (first.count + second.count === 0) throw nothingCarried(mapped);
    if (mapped.unsure !== null && (change !== "delete" || !mapped.hasKey))
      expectCarried(mapped.unsure, first, second);
    const nulls = change === "insert" && first.columns !== null ? columnsLeftNull(mapped, first.columns) : [];
    const events: ReplicationEvent[] = [];
    if (mapped.isAltered) events.push({ kind: "schema", table: mapped.table.id });
    mapped.isAltered = false;
    while (rows.left > 0) {
      if (change === "update") events.push(this.#update(rows, mapped, { first, second, isPartial }));
      else if (change === "insert") {
        const after = this.#image(rows, mapped, first);
        for (const index of nulls) after[index] = null;
        events.push({ kind: "insert", table: mapped.table.id, after });
      } else events.push({ kind: "delete", table: mapped.table.id, before: this.#old(rows, mapped, first) });
    }
    return events;
  }

  #update(cursor: Cursor, mapped: MappedTable, { first, second, isPartial }: Images): ReplicationEvent {
    const { table, hasKey, isKey } = mapped;
    if (second.columns === null && !isPartial) {
      const before = this.#old(cursor, mapped, first);
      const after = this.#image(cursor, mapped, second);
      if (hasKey && !this.#options.wholeBefore && isSameKey(before, after, isKey))
        return { kind: "update", table: table.id, after };
      return { kind: "update", table: table.id, after, before };
    }
    // What the new row leaves out kept its value, which the old row may have.
    const whole = this.#image(cursor, mapped, first);
    const changed = isPartial
      ? this.#partial(cursor, mapped, { carried: second, whole })
      : this.#image(cursor, mapped, second);
    const after = filled(changed, whole);
    if (!hasKey || this.#options.wholeBefore)
      return { kind: "update", table: table.id, after, before: whole };
    if (isSameKey(whole, after, isKey)) return { kind: "update", table: table.id, after };
    return { kind: "update", table: table.id, after, before: onlyKey(whole, isKey) };
  }

  #partial(
    cursor: Cursor,
    mapped: MappedTable,
    { carried, whole }: { readonly carried: Carried; readonly whole: Row },
  ): Cell[] {
    cursor.limitRow(this.#options.maxRowBytes);
    return readPartialRow(cursor, mapped, carried, whole);
  }

  #old(cursor: Cursor, mapped: MappedTable, carried: Carried): Cell[] {
    const isWhole = !mapped.hasKey || this.#options.wholeBefore;
    return isWhole ? this.#image(cursor, mapped, carried) : this.#key(cursor, mapped, carried);
  }

  /** Every cell that is carried. */
  #image(cursor: Cursor, { readers }: MappedTable, { count, columns }: Carried): Cell[] {
    cursor.limitRow(this.#options.maxRowBytes);
    const nulls = cursor.take((count + 7) >> 3);
    const { view } = cursor;
    const cells: Cell[] = [];
    this.#cells = cells;
    let bit = 0;
    let bits = 0;
    for (let index = 0; index < readers.length; index++) {
      if (columns !== null && columns[index] !== true) {
        cells.push(NOT_CARRIED);
        continue;
      }
      if ((bit & 7) === 0) bits = view.getUint8(nulls + (bit >> 3));
      const isNull = (bits & 1) !== 0;
      bits >>= 1;
      bit += 1;
      cells.push(isNull ? null : (readers[index]?.read(cursor) ?? null));
    }
    return cells;
  }

  /** The cells of the key; the others are stepped over. */
  #key(cursor: Cursor, { readers, isKey }: MappedTable, { count, columns }: Carried): Cell[] {
    cursor.limitRow(this.#options.maxRowBytes);
    const nulls = cursor.take((count + 7) >> 3);
    const { view } = cursor;
    const cells: Cell[] = [];
    this.#cells = cells;
    let bit = 0;
    let bits = 0;
    for (let index = 0; index < readers.length; index++) {
      if (columns !== null && columns[index] !== true) {
        cells.push(NOT_CARRIED);
        continue;
      }
      if ((bit & 7) === 0) bits = view.getUint8(nulls + (bit >> 3));
      const isNull = (bits & 1) !== 0;
      bits >>= 1;
      bit += 1;
      if (isKey[index] === true) cells.push(isNull ? null : (readers[index]?.read(cursor) ?? null));
      else {
        if (!isNull) readers[index]?.skip(cursor);
        cells.push(NOT_CARRIED);
      }
    }
    return cells;
  }

  #inflated(cursor: Cursor): Cursor {
    const lengthBytes = cursor.uint8() & 7;
    if (lengthBytes < 1 || lengthBytes > 4) throw new RangeError("compressed rows have no length");
    const at = cursor.take(lengthBytes);
    const length = cursor.bytes.readUIntBE(at, lengthBytes);
    const maxBytes = 2 * this.#options.maxRowBytes + MAX_GATHERED_BYTES;
    return new Cursor(inflate(cursor.slice(cursor.left), length, { isRaw: false, maxBytes }));
  }

  #tooLarge({ table, isKey, keeps }: MappedTable, cause: Error): ReplicationError {
    const { maxRowBytes } = this.#options;
    const key = table.columns.flatMap(({ name }, at) => {
      const index = keeps?.[at] ?? at;
      const cell = this.#cells[index];
      return isKey[index] === true && typeof cell === "string" ? [`${name}=${cell}`] : [];
    });
    const label = tableLabel(table);
    const where = key.length === 0 ? "its key behind its large value" : `key ${key.join(", ")}`;
    return new ReplicationError(
      "row-too-large",
      `the primary sends a row of ${label}, ${where}, above ${maxRowBytes} bytes`,
      {
        cause,
        fix: "raise maxRowBytes (memory: up to eight times that); excluding the table helps only with later rows",
        fields: { table: label, maxRowBytes },
      },
    );
  }
}

/** Without the columns that are not the table's. */
function keptOf(event: ReplicationEvent, keeps: readonly number[]): ReplicationEvent {
  const kept = (row: Row): Cell[] => keeps.map((index) => row[index] ?? null);
  switch (event.kind) {
    case "insert":
      return { ...event, after: kept(event.after) };
    case "update":
      return event.before === undefined
        ? { ...event, after: kept(event.after) }
        : { ...event, after: kept(event.after), before: kept(event.before) };
    case "delete":
      return { ...event, before: kept(event.before) };
    default:
      return event;
  }
}

/** Under `binlog_row_image` other than `full`. */
function filled(after: Cell[], before: Row): Cell[] {
  return after.map((cell, index) => {
    const old = before[index];
    return cell === NOT_CARRIED && old !== undefined ? old : cell;
  });
}

function onlyKey(row: Row, isKey: readonly boolean[]): Cell[] {
  return row.map((cell, index) => (isKey[index] === true ? cell : NOT_CARRIED));
}

function isSameKey(before: Row, after: Row, isKey: readonly boolean[]): boolean {
  for (let index = 0; index < isKey.length; index++) {
    if (isKey[index] === true && before[index] !== after[index]) return false;
  }
  return true;
}

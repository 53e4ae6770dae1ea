import {
  ReplicationError,
  sameColumns,
  tableKey,
  tableLabel,
  type Column,
  type Table,
  type TableName,
} from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import type { FactsThen } from "../schema/column-facts.ts";
import type { Charsets } from "./charsets.ts";
import { defineColumn, isBytes } from "./column-definition.ts";
import type { ColumnReader } from "./column-reader.ts";
import { readColumn } from "./column-sizes.ts";
import { TYPE, type MappedColumn } from "./column-type.ts";
import { Cursor } from "./cursor.ts";
import { readOptionalMetadata } from "./optional-metadata.ts";

/*
 * TABLE_MAP, before the rows of each statement, one for each of its tables:
 *
 *     Int48 table id  Int16 flags
 *     Int8 length  schema  0x00  Int8 length  name  0x00  packed number of columns  Int8 type each
 *     packed length  sizes, see column-sizes.ts
 *     a bit each, lowest first: may be NULL
 *     optional metadata, see optional-metadata.ts
 *
 * A table id means nothing beyond its log file: the server gives a table another one when it opens it anew.
 */
/** So many table ids are remembered; only those of one statement are ever needed. */
const MAX_TABLE_IDS = 4_096;
/** What `binlog_row_image = noblob` leaves out. */
const LARGE: ReadonlySet<number> = new Set([
  TYPE.BLOB,
  TYPE.BLOB_COMPRESSED,
  TYPE.JSON,
  TYPE.GEOMETRY,
  TYPE.VECTOR,
]);

export interface TableMapOptions {
  readonly flavour: Flavour;
  readonly charsets: Charsets;
  readonly maxRowBytes: number;
  /** Whether the table's rows are wanted; of others nothing is looked at. */
  readonly includes: (table: TableName) => boolean;
  /**
   * What the log does not say of a table's columns, for rows that were logged at a time; rejects where nobody knows.
   * `doubtful`: those that it shows as bytes, and that may be MariaDB's UUID, INET4, INET6 or VECTOR. Default: it says
   * all.
   */
  readonly factsOf?:
    ((table: TableName, timestamp: number, doubtful: readonly string[]) => FactsThen) | undefined;
  /** Those of another reader of the same log, whose events are put together with this one's. */
  readonly known?: KnownTables | undefined;
}

/** A table, and how its rows are read. */
export interface MappedTable {
  readonly table: Table;
  /** Which of the log's columns are the table's; null: all of them. */
  readonly keeps: readonly number[] | null;
  readonly readers: readonly ColumnReader[];
  /** For each column whether it is part of the key. */
  readonly isKey: readonly boolean[];
  readonly hasKey: boolean;
  /** For each column whether it holds large values and may be NULL. */
  readonly mayLack: readonly boolean[];
  /** Columns whose type the log does not tell. */
  readonly doubtful: readonly string[];
  /** Columns that may be left out since they were generated; null: what is left out is what the row image leaves out. */
  readonly unsure: UnsureColumns | null;
  /** Another definition than before, of which no event tells yet. */
  isAltered: boolean;
}

export interface UnsureColumns {
  /** By the log's columns. */
  readonly at: readonly number[];
  readonly failure: () => Error;
}

/** Every definition that was seen, and the newest one of each table. */
export class KnownTables {
  /** By the id that events use. */
  readonly byId: Map<number, Table> = new Map();
  readonly #byName = new Map<string, Table>();

  newest(name: TableName): Table | undefined {
    return this.#byName.get(tableKey(name));
  }

  /** The same definition is the same table. */
  of(name: TableName, columns: readonly Column[]): Pick<MappedTable, "table" | "isAltered"> {
    const known = this.newest(name);
    const table: Table = { id: this.byId.size, ...name, columns };
    if (known !== undefined && sameColumns(known, table)) return { table: known, isAltered: false };
    this.byId.set(table.id, table);
    this.#byName.set(tableKey(name), table);
    return { table, isAltered: known !== undefined && known.columns.length > 0 };
  }
}

/** Knows which table each table id is at this point of the stream. */
export class TableMaps {
  readonly #options: TableMapOptions;
  readonly #known: KnownTables;
  readonly #byTableId = new Map<number, { readonly raw: Buffer; readonly mapped: MappedTable | null }>();

  constructor(options: TableMapOptions) {
    this.#options = options;
    this.#known = options.known ?? new KnownTables();
  }

  /** Every definition seen in this stream, by the id that events use. */
  get tables(): ReadonlyMap<number, Table> {
    return this.#known.byId;
  }

  /** Null for a table that is not included; undefined where no table map told of it. */
  find(tableId: number): MappedTable | null | undefined {
    return this.#byTableId.get(tableId)?.mapped;
  }

  /** By which number events name a table; one that no rows told of yet has no columns. Null where it is not included. */
  numberOf(name: TableName): number | null {
    if (!this.#options.includes(name)) return null;
    return (this.#known.newest(name) ?? this.#known.of(name, []).table).id;
  }

  /** The server repeats table maps before each statement; only another one is read. */
  accept(cursor: Cursor, timestamp: number): void {
    const { bytes, end } = cursor;
    const tableId = cursor.uint48();
    const known = this.#byTableId.get(tableId);
    if (known !== undefined && known.raw.compare(bytes, cursor.at, end) === 0) {
      const { mapped } = known;
      if (mapped !== null) this.#options.factsOf?.(mapped.table, timestamp, mapped.doubtful);
      return;
    }
    // Delete first: the map forgets the oldest.
    this.#byTableId.delete(tableId);
    const raw = Buffer.from(bytes.subarray(cursor.at, end));
    const mapped = this.#read(cursor, timestamp);
    this.#byTableId.set(tableId, { raw, mapped });
    if (this.#byTableId.size <= MAX_TABLE_IDS) return;
    for (const oldest of this.#byTableId.keys()) {
      this.#byTableId.delete(oldest);
      break;
    }
  }

  /** What is read of tables again may say something else of them. */
  forget(): void {
    this.#byTableId.clear();
  }

  #read(cursor: Cursor, timestamp: number): MappedTable | null {
    cursor.take(2); // Flags.
    const schema = readName(cursor);
    const name = readName(cursor);
    if (!this.#options.includes({ schema, name })) return null;
    const label = tableLabel({ schema, name });
    const columns = readColumns(cursor, label);
    const mayBeNull = cursor.slice((columns.length + 7) >> 3);
    const mayLack = columns.map(
      ({ type }, index) => LARGE.has(type) && (((mayBeNull[index >> 3] ?? 0) >> (index & 7)) & 1) !== 0,
    );
    const metadata = readOptionalMetadata(cursor, columns, this.#options.flavour);
    if (!metadata.hasNames) throw metadataMissing(label);
    const { charsets, maxRowBytes } = this.#options;
    const labelled = columns.map((column) => ({ column, label: `${label}.${column.name ?? ""}` }));
    const doubtful = labelled
      .filter((of) => isDoubtful(of.column) && isBytes(of.column, { charsets, label: of.label }))
      .map(({ column }) => column.name ?? "");
    const facts = this.#options.factsOf?.({ schema, name }, timestamp, doubtful);
    const defined = labelled.map((of) => {
      const hiddenType = facts?.hidden.get(of.column.name ?? "") ?? null;
      return defineColumn(of.column, { charsets, label: of.label, maxRowBytes, hiddenType });
    });
    const isKey = columns.map((_, index) => metadata.key.includes(index));
    const fields = columns.map((column, index): Column => {
      const { type = "other", nativeType = "" } = defined[index] ?? {};
      return { name: column.name ?? "", type, nativeType, isKey: isKey[index] ?? false };
    });
    const keeps = fields.flatMap((field, index) =>
      facts?.generated.has(field.name) === true ? [] : [index],
    );
    const kept = fields.filter((_, index) => keeps.includes(index));
    return {
      ...this.#known.of({ schema, name }, kept),
      keeps: kept.length === fields.length ? null : keeps,
      readers: defined.map(({ reader }) => reader),
      isKey,
      hasKey: metadata.key.length > 0,
      mayLack,
      doubtful,
      unsure: unsureOf(fields, facts),
    };
  }
}

function unsureOf(columns: readonly Column[], facts: FactsThen | undefined): UnsureColumns | null {
  const unsure = facts?.unsure;
  if (unsure === undefined) return null;
  const at = columns.flatMap(({ name }, index) => (unsure.isOf(name) ? [index] : []));
  return at.length === 0 ? null : { at, failure: unsure.failure };
}

/** MariaDB's log shows UUID, INET and VECTOR as bytes. */
function isDoubtful({ type }: MappedColumn): boolean {
  return type === TYPE.STRING || type === TYPE.VARCHAR;
}

function readName(cursor: Cursor): string {
  const name = cursor.utf8(cursor.uint8());
  if (cursor.uint8() !== 0) throw new RangeError("a name does not end");
  return name;
}

function readColumns(cursor: Cursor, label: string): MappedColumn[] {
  const types = cursor.slice(cursor.packed());
  const sizesLength = cursor.packed();
  const sizesAt = cursor.take(sizesLength);
  const sizes = new Cursor(cursor.bytes, sizesAt, sizesAt + sizesLength);
  const columns = Array.from(types, (type) => readColumn(type, sizes, label));
  sizes.expectEnd();
  return columns;
}

function metadataMissing(label: string): ReplicationError {
  return new ReplicationError(
    "setup-incomplete",
    `the primary's log does not say what the columns of ${label} are called`,
    {
      fix:
        "SET GLOBAL binlog_row_metadata = FULL (and in the server's configuration), then follow the primary from " +
        "a point behind that: what was written before cannot be read",
      fields: { table: label },
    },
  );
}

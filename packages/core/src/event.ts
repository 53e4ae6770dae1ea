import type { Position } from "./position.ts";

/**
 * What one column holds. Text is the canonical form of the column's logical type (between equal engines: the
 * server's own text), `null` is NULL, and `NOT_CARRIED` says that the source did not send the column: it kept
 * its value (an unchanged TOAST column) or is not part of the key.
 */
export type Cell = string | null | typeof NOT_CARRIED;

/** A number in the place of text: cheap to test for, and a valid JSON value on the wire. */
export const NOT_CARRIED = 0;

/** The cells of one row, in the order of its table's columns. */
export type Row = readonly Cell[];

/** What a column means, whichever engine holds it. `other` is text that only the native type can read. */
export type LogicalType = (typeof LOGICAL_TYPES)[number];

const LOGICAL_TYPES = [
  "boolean",
  "int16",
  "int32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "decimal",
  "string",
  "bytes",
  "date",
  "time",
  "timetz",
  "timestamp",
  "timestamptz",
  "interval",
  "uuid",
  "json",
  "enum",
  "set",
  "bits",
  "array",
  "geometry",
  "vector",
  "document",
  "other",
] as const;

export function isLogicalType(name: string): name is LogicalType {
  return LOGICAL_TYPES.some((known) => known === name);
}

export interface Column {
  readonly name: string;
  readonly type: LogicalType;
  /** The source's own name of the type with its modifier, e.g. `numeric(10,2)`. */
  readonly nativeType: string;
  /** Part of the key by which updates and deletes find their row. */
  readonly isKey: boolean;
}

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A table of the source. */
export interface SourceTable extends TableName {
  /** The source's own lasting name of it, where it has one: another one is another table of the same name. */
  readonly identity?: string;
  /** Which time it was published, where that is known: what was committed between two times was not streamed. */
  readonly publishedAs?: string;
}

/** One definition of a table. A table that is altered gets another `id`; ids mean nothing outside their batch. */
export interface Table extends SourceTable {
  readonly id: number;
  readonly columns: readonly Column[];
}

/** One change, as far as the source knows it. `table` is the `id` of a table that its batch or record names. */
export type ReplicationEvent =
  | { readonly kind: "insert"; readonly table: number; readonly after: Row }
  | {
      readonly kind: "update";
      readonly table: number;
      readonly after: Row;
      /** The old key (its other cells not carried) or the whole old row; absent where the key did not change. */
      readonly before?: Row;
    }
  | { readonly kind: "delete"; readonly table: number; readonly before: Row }
  | {
      readonly kind: "truncate";
      readonly tables: readonly number[];
      readonly restartIdentity: boolean;
    }
  /**
   * From here on the table has this definition. `isAnew`: and what rows it has, or whether there is such a table, the
   * source's log does not say; what replicas have of it is copied anew.
   */
  | { readonly kind: "schema"; readonly table: number; readonly isAnew?: true };

/** The events that one source transaction committed together. */
export interface Transaction {
  /** The end of its commit: everything through here includes this transaction. */
  readonly position: Position;
  readonly xid: string;
  /** Microseconds since 1970-01-01 UTC on the source's clock. */
  readonly committedAtUs: number;
  readonly events: readonly ReplicationEvent[];
}

/** Names one transaction without its events. */
export type TransactionMark = Omit<Transaction, "events">;

/** Transactions together with the tables that their events name. */
export interface TransactionGroup extends EventGroup {
  readonly transactions: readonly Transaction[];
}

/** Events of one or more transactions, or of a piece of one, together with the tables that they name. */
export interface EventGroup {
  readonly tables: ReadonlyMap<number, Table>;
  readonly transactions: readonly { readonly events: readonly ReplicationEvent[] }[];
}

/** Tells tables apart, in maps and sets: a label does not, since names may hold dots. */
export function tableKey({ schema, name }: TableName): string {
  return JSON.stringify([schema, name]);
}

/** `schema.name`, for messages; not quoted, never sent to a server. */
export function tableLabel(table: TableName): string {
  return `${table.schema}.${table.name}`;
}

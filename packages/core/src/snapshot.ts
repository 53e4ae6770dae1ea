import type { CommonTable } from "./common-schema.ts";
import type { SourceTable, Table, TableName } from "./event.ts";
import type { Position } from "./position.ts";
import type { Progress } from "./sink.ts";

/**
 * What a copy of tables contains. That need not be a position: a transaction may be in the log already and not
 * be visible yet. So of what is at or below `through` the source tells one by one (`Source.contains`).
 */
export interface View {
  /** Transactions above are not in the view. */
  readonly through: Position;
  /** The engine's own text. */
  readonly text: string;
}

/** What is known of a table's copy once all its rows are in the replica. */
export interface CopyMark {
  readonly view: View;
  /** Every transaction that the rows lack lies above: first of all what the view lacks, later what was applied since. */
  readonly start: Progress;
}

/** One consistent view of a primary, open to be copied. */
export interface Snapshot extends AsyncDisposable {
  readonly view: View;
  /**
   * Every transaction that the view lacks was committed at or after this, by the source's clock, give or take
   * its precision (microseconds since 1970-01-01 UTC); null: nothing is known, it may be any.
   */
  readonly earliestMissingUs: number | null;
  readonly tables: readonly SnapshotTable[];
  readonly schema: SchemaDefinition;

  /**
   * The rows of one range as bytes of that format, cut anywhere. Rejects with `copy-stalled` when the consumer
   * takes nothing for long, since reading holds a lock on the table (H1).
   */
  read(range: TableRange, format: string, signal: AbortSignal): AsyncIterable<Uint8Array>;

  /**
   * Resolves when what was read of the table is one view of it: rejects with `source-changed` when the table
   * was rewritten or truncated meanwhile; then copy it again under a new view.
   */
  verify(table: SnapshotTable, signal: AbortSignal): Promise<void>;
}

export interface SnapshotLimits {
  /** About how large a range is. */
  readonly rangeBytes: number;
  /**
   * First every transaction that runs now is waited for: then whatever the source's log has by now is in the view.
   * For where `earliestMissingUs` does not help.
   */
  readonly waitsForAll: boolean;
  /** It is for a replica that does not follow yet: a commit that waits for its answer would wait for the copy. */
  readonly isFirst?: boolean;
}

/** A table of the view. Sizes are the server's estimates. */
export interface SnapshotTable {
  readonly table: Table;
  /** How its rows can be read, best first; each a name that sinks know. */
  readonly formats: readonly string[];
  /** Together all of its rows, each once. */
  readonly ranges: readonly TableRange[];
  readonly rows: number;
  readonly bytes: number;
}

/** A part of a table, read by one session. */
export interface TableRange {
  readonly bytes: number;
  /** The engine's own text. */
  readonly text: string;
}

/** Definitions of tables in one engine's own words, and in those that every engine has. */
export interface SchemaDefinition {
  /** Who understands its own words: these are preferred where the replica is of the same engine. */
  readonly dialect: string;
  /** Of every table. */
  readonly common: readonly CommonTable[];
}

/** What to do with rows that a replica's table holds before it is copied. */
export type ExistingRows =
  /** Refuse the table by name. */
  | "refuse"
  /** Keep those whose key the primary does not have, and overwrite the others. */
  | "keep"
  /** Delete them. */
  | "truncate";

/** Where copies are written: sessions beside the one that owns the replica, bound to its owner. */
export interface CopyTarget extends AsyncDisposable {
  /**
   * Creates the tables that the replica lacks, without keys and indexes, and checks the others: rejects with
   * `schema-mismatch`, or `table-not-empty` under `refuse`, naming the table. May be called again.
   */
  prepare(schema: SchemaDefinition, tables: readonly SnapshotTable[], signal: AbortSignal): Promise<void>;

  /** Begins a new attempt: what a former one left is gone, and nothing of it can come any more. */
  begin(table: SnapshotTable, signal: AbortSignal): Promise<TableCopy>;

  /** Resolves once no session of a former copy can write any more. */
  endFormer(signal: AbortSignal): Promise<void>;

  /** Pending tables that the source no longer has. */
  forget(tables: readonly TableName[], signal: AbortSignal): Promise<void>;
}

/** One attempt at one table. */
export interface TableCopy {
  /** One of the table's formats. */
  readonly format: string;

  /**
   * Writes one range; durable once resolved. Returns how many rows. Several at a time. The rows are asked for once
   * the replica takes them, and again after they ended with `copy-stalled`.
   */
  write(open: () => AsyncIterable<Uint8Array>): Promise<number>;

  /** After all ranges: keys and indexes, then the mark. Rejects with `replica-claimed` when another owner has come. */
  finish(mark: CopyMark, signal: AbortSignal): Promise<void>;
}

/** What a replica knows of one table. */
export interface ReplicaTable extends SourceTable {
  readonly state: ReplicaTableState;
  /** It came when the replica was live already: its changes are left out until it has been copied and joined. */
  readonly joins: boolean;
}

export type ReplicaTableState =
  /** To be copied, or being copied. */
  | { readonly kind: "pending" }
  /** Its rows are there; changes that the view contains are left out. */
  | { readonly kind: "copied"; readonly mark: CopyMark }
  /** Like the primary's at the replica's position. */
  | { readonly kind: "live" };

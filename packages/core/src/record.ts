import type { Epoch, EpochRef } from "./epoch.ts";
import type { ReplicationEvent, Table, Transaction, TransactionGroup, TransactionMark } from "./event.ts";
import type { Offset } from "./offset.ts";
import type { Position } from "./position.ts";
import type { WrittenSelection } from "./selection.ts";

/** One entry of the event log: a segment of the source's log, or a word about who writes. */
export type LogRecord =
  OpenRecord | EpochRecord | TransactionsRecord | BeginRecord | MiddleRecord | EndRecord | IdleRecord;

export type RecordKind = LogRecord["kind"];

/** A publisher begins; it fences the publisher before it and repeats the whole epoch, if there is one yet. */
export interface OpenRecord {
  readonly kind: "open";
  readonly epoch: Epoch | null;
  /** What the topic was and is written by, the latest last; of a source that chooses nothing: none. */
  readonly selections?: readonly WrittenSelection[];
}

/** A new reign. */
export interface EpochRecord extends Positioned {
  readonly kind: "epoch";
  readonly epoch: Epoch;
}

/** One or more whole transactions. */
export interface TransactionsRecord extends Positioned, TransactionGroup {
  readonly kind: "transactions";
  readonly transactions: readonly [Transaction, ...Transaction[]];
}

/** The first piece of one large transaction. Moves no position. */
export interface BeginRecord extends Piece {
  readonly kind: "begin";
  readonly xid: string;
  /** The start of the commit record: a position contains the transaction only if strictly above it. */
  readonly commitStart: Position;
  readonly previous: Position;
}

/** A further piece of the transaction that began at `begin`. */
export interface MiddleRecord extends Piece {
  readonly kind: "middle";
  readonly begin: Offset;
}

/** The last piece: only now the transaction has a position. */
export interface EndRecord extends Piece, Positioned {
  readonly kind: "end";
  readonly begin: Offset;
}

/** The source's position moved and nothing was published. */
export interface IdleRecord extends Positioned {
  readonly kind: "idle";
}

/** What can be read of a record without decoding it. */
export interface RecordHeaders {
  readonly kind: RecordKind;
  /** Null only before the topic's first epoch. */
  readonly epoch: EpochRef | null;
  /** The life of the publisher that appended it. */
  readonly run: string;
  /** Offset of that publisher's `open` record; null on the `open` record itself. */
  readonly open: Offset | null;
  /** The position before it; null on records that have none and on the first epoch. */
  readonly previous: Position | null;
  readonly position: Position | null;
  /** On `middle` and `end`: the offset of their `begin`. */
  readonly begin: Offset | null;
  /** On `begin`: the start of the transaction's commit record. */
  readonly commitStart: Position | null;
}

/** Who appends: stamped on each record. */
export interface RecordStamp {
  readonly epoch: EpochRef | null;
  readonly run: string;
  readonly open: Offset | null;
}

interface Positioned {
  /** The position before this record; null only on the first epoch. */
  readonly previous: Position | null;
  readonly position: Position;
  /** The last transaction at or below `position`; null before the first. */
  readonly last: TransactionMark | null;
}

interface Piece {
  readonly tables: ReadonlyMap<number, Table>;
  readonly events: readonly ReplicationEvent[];
}

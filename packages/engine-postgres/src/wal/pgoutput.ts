import {
  NOT_CARRIED,
  position,
  ReplicationError,
  sameColumns,
  tableKey,
  type DecodedPiece,
  type Position,
  type ReplicationEvent,
  type Row,
  type Table,
  type Transaction,
} from "@lockstep/core";
import type { SourceCatalog } from "../values.ts";
import { FullIdentityKeys } from "./full-identity-keys.ts";
import { parseRelation } from "./relation.ts";
import { readPosition, readTimeUs } from "./replication-messages.ts";
import { TupleReader } from "./tuple.ts";

/*
 * pgoutput, protocol version 1 (PostgreSQL manual, "Logical Replication Message Formats"). Whole
 * transactions arrive in commit order:
 *
 *     Begin     'B'  Int64 start of the commit record  Int64 commit time  Int32 xid
 *     Origin    'O'  Int64 position  String name
 *     Relation  'R'  see relation.ts                    Type  'Y'  Int32 oid  String schema  String name
 *     Insert    'I'  Int32 relation  'N' tuple
 *     Update    'U'  Int32 relation  [ 'K' | 'O' tuple ]  'N' tuple
 *     Delete    'D'  Int32 relation  'K' | 'O' tuple
 *     Truncate  'T'  Int32 n  Int8 1 = cascade, 2 = restart identity  Int32[n] relations
 *     Message   'M'  not asked for
 *     Commit    'C'  Int8 flags  Int64 start of the commit record  Int64 its end  Int64 commit time
 */
const BEGIN = 0x42;
const COMMIT = 0x43;
const ORIGIN = 0x4f;
const RELATION = 0x52;
const TYPE = 0x59;
const INSERT = 0x49;
const UPDATE = 0x55;
const DELETE = 0x44;
const TRUNCATE = 0x54;
const MESSAGE = 0x4d;
const NEW = 0x4e;
const OLD_KEY = 0x4b;

const RESTART_IDENTITY = 2;
/** What comes around each message: CopyData, XLogData, its kind. */
const FRAME_BYTES = 31;

interface OpenTransaction {
  readonly xid: string;
  readonly committedAtUs: number;
  readonly commitStart: Position;
  /** What has not been handed out. */
  events: ReplicationEvent[];
  bytes: number;
  /** Its first piece was handed out. */
  isInPieces: boolean;
}

/** What a message completes. */
export type Decoded = DecodedCommit | DecodedPiece;

interface DecodedCommit {
  readonly kind: "commit";
  readonly position: Position;
  /** Null when nothing of it was published. */
  readonly transaction: Transaction | null;
  /** How many bytes of log it came in. */
  readonly bytes: number;
}

/** Turns pgoutput messages into transactions, straight in the form the codec writes. One per stream. */
export class PgoutputDecoder {
  /** Every definition seen in this stream, by the id that events use. */
  readonly tables: Map<number, Table> = new Map();
  readonly #byRelation = new Map<number, Table>();
  readonly keys: FullIdentityKeys;
  /** Descriptions of tables whose key is not known to be one yet. */
  readonly #keyless = new Map<number, Buffer>();
  readonly #catalog: SourceCatalog;
  readonly #pieceBytes: number;
  readonly #tuples = new TupleReader();
  #open: OpenTransaction | null = null;

  /** A transaction of more than `pieceBytes` is handed out in pieces of about that size. */
  constructor(catalog: SourceCatalog, pieceBytes: number) {
    this.#catalog = catalog;
    this.keys = new FullIdentityKeys(catalog.keys);
    this.#pieceBytes = pieceBytes;
  }

  /** The newest definitions, by the source's number of the relation. */
  get relations(): ReadonlyMap<number, Table> {
    return this.#byRelation;
  }

  get isInTransaction(): boolean {
    return this.#open !== null;
  }

  /** When the transaction being decoded was committed, on the source's clock. */
  get committedAtUs(): number | null {
    return this.#open?.committedAtUs ?? null;
  }

  /**
   * Decodes the message in `buffer` from `start` to `end`; answers at a commit and when a piece is full, else
   * null. Rejects bytes that are not a message with `protocol-violation`; the stream must then be read anew.
   */
  decode(buffer: Buffer, start: number, end: number): Decoded | null {
    try {
      return this.#decode(buffer, start, end);
    } catch (error) {
      if (error instanceof RangeError) throw malformed(buffer[start], error);
      throw error;
    }
  }

  #decode(buffer: Buffer, start: number, end: number): Decoded | null {
    if (start >= end) throw malformed(undefined);
    const kind = buffer[start];
    const at = start + 1;
    switch (kind) {
      case INSERT:
      case UPDATE:
      case DELETE:
      case TRUNCATE:
        return this.#change(buffer, kind, at, end);
      case BEGIN:
        if (this.#open !== null) throw malformed(kind);
        expectEnd(at + 20, end, kind);
        this.#open = {
          committedAtUs: readTimeUs(buffer, at + 8),
          xid: String(buffer.readUInt32BE(at + 16)),
          commitStart: readPosition(buffer, at),
          events: [],
          bytes: FRAME_BYTES,
          isInPieces: false,
        };
        if (this.#keyless.size > 0) this.#keysBegin(this.#open);
        return null;
      case COMMIT:
        expectEnd(at + 25, end, kind);
        return this.#commit(readPosition(buffer, at + 9));
      case RELATION:
        this.#relation(buffer.subarray(at, end));
        return null;
      case ORIGIN:
      case TYPE:
      case MESSAGE:
        return null;
      default:
        throw malformed(kind);
    }
  }

  #change(buffer: Buffer, kind: number, at: number, end: number): DecodedPiece | null {
    const open = this.#open;
    if (open === null) throw malformed(kind);
    open.events.push(
      kind === TRUNCATE ? this.#truncate(buffer, at, end) : this.#rowChange(buffer, kind, at, end),
    );
    open.bytes += end - at + FRAME_BYTES;
    return open.bytes > this.#pieceBytes ? this.#piece(open) : null;
  }

  #piece(open: OpenTransaction): DecodedPiece {
    const { xid, commitStart, committedAtUs, events, bytes } = open;
    const isFirst = !open.isInPieces;
    open.isInPieces = true;
    open.events = [];
    open.bytes = 0;
    const common = { tables: this.tables, events, bytes };
    if (!isFirst) return { kind: "middle", ...common };
    return { kind: "begin", xid, commitStart, committedAtUs, ...common };
  }

  #rowChange(buffer: Buffer, kind: number, at: number, end: number): ReplicationEvent {
    if (at + 5 > end) throw malformed(kind);
    const table = this.#tableOf(buffer.readUInt32BE(at));
    const tuples = this.#tuples;
    const firstIsNew = buffer[at + 4] === NEW;
    const first = tuples.read(buffer, at + 5, end, table, buffer[at + 4] === OLD_KEY);
    if (kind === INSERT && firstIsNew) {
      expectEnd(tuples.end, end, kind);
      return { kind: "insert", table: table.id, after: first };
    }
    if (kind === DELETE && !firstIsNew) {
      expectEnd(tuples.end, end, kind);
      return { kind: "delete", table: table.id, before: first };
    }
    if (kind !== UPDATE) throw malformed(kind);
    if (firstIsNew) {
      expectEnd(tuples.end, end, kind);
      return { kind: "update", table: table.id, after: first };
    }
    if (tuples.end >= end || buffer[tuples.end] !== NEW) throw malformed(kind);
    const after = tuples.read(buffer, tuples.end + 1, end, table, false);
    expectEnd(tuples.end, end, kind);
    return { kind: "update", table: table.id, after: filled(after, first), before: first };
  }

  #truncate(buffer: Buffer, at: number, end: number): ReplicationEvent {
    if (at + 5 > end) throw malformed(TRUNCATE);
    const count = buffer.readUInt32BE(at);
    expectEnd(at + 5 + count * 4, end, TRUNCATE);
    const tables: number[] = [];
    for (let index = 0; index < count; index++) {
      tables.push(this.#tableOf(buffer.readUInt32BE(at + 5 + index * 4)).id);
    }
    return { kind: "truncate", tables, restartIdentity: (buffer.readUInt8(at + 4) & RESTART_IDENTITY) !== 0 };
  }

  #commit(position: Position): Decoded {
    const open = this.#open;
    if (open === null) throw malformed(COMMIT);
    this.#open = null;
    const { xid, committedAtUs, events, bytes, isInPieces } = open;
    if (isInPieces) {
      return { kind: "end", tables: this.tables, events, bytes, last: { position, xid, committedAtUs } };
    }
    const transaction = events.length === 0 ? null : { position, xid, committedAtUs, events };
    return { kind: "commit", position, transaction, bytes };
  }

  /** The server repeats definitions; only another one is a new table id, and an event where it takes hold. */
  #relation(message: Buffer): void {
    const at = this.#open?.commitStart ?? position("0/0");
    const { isFull, oid, table, known } = this.#describe(message, at);
    if (isFull && !this.keys.hasBegun(at)) this.#keyless.set(oid, Buffer.from(message));
    else this.#keyless.delete(oid);
    if (table !== known && known !== undefined) this.#open?.events.push({ kind: "schema", table: table.id });
  }

  /** What was committed from here on came after the catalog had its keys. No event: nothing else need be here. */
  #keysBegin({ commitStart }: OpenTransaction): void {
    if (!this.keys.hasBegun(commitStart)) return;
    for (const message of this.#keyless.values()) this.#describe(message, commitStart);
    this.#keyless.clear();
  }

  /** Takes the definition on; `known` is the one before. */
  #describe(
    message: Buffer,
    at: Position,
  ): {
    readonly isFull: boolean;
    readonly oid: number;
    readonly table: Table;
    readonly known: Table | undefined;
  } {
    const xid = this.#open?.xid ?? "0";
    const { isFull, oid, table } = parseRelation(message, {
      types: this.#catalog.types,
      keyOf: (of, columns) => this.keys.keyAt(of, columns, { at, xid }),
      id: this.tables.size,
      xid,
    });
    const known = this.#byRelation.get(oid);
    if (known !== undefined && tableKey(known) === tableKey(table) && sameColumns(known, table))
      return { isFull, oid, table: known, known };
    this.tables.set(table.id, table);
    this.#byRelation.set(oid, table);
    return { isFull, oid, table, known };
  }

  #tableOf(relation: number): Table {
    const table = this.#byRelation.get(relation);
    if (table === undefined) {
      throw new ReplicationError(
        "protocol-violation",
        `a change names relation ${relation}, which was not described`,
      );
    }
    return table;
  }
}

/**
 * What an update left untouched, and the old row carries: so under `replica identity full`. Such a value is
 * never NULL: a partition whose identity is only a key sends NULL for the rest (V1).
 */
function filled(after: Row, before: Row): Row {
  if (!after.includes(NOT_CARRIED)) return after;
  return after.map((cell, index) => (cell === NOT_CARRIED ? (before[index] ?? NOT_CARRIED) : cell));
}

function expectEnd(at: number, end: number, kind: number): void {
  if (at !== end) throw malformed(kind);
}

function malformed(kind: number | undefined, cause?: unknown): ReplicationError {
  const shown = kind === undefined ? "(empty)" : String.fromCharCode(kind);
  return new ReplicationError("protocol-violation", `a pgoutput message of kind ${shown} is malformed`, {
    cause,
    fix: "report it with the server's version; the stream is read again from the last confirmed position",
  });
}

import { ReplicationError, type Table, type TableName } from "@lockstep/core";
import { CHECKSUM_BYTES, endsInChecksum } from "./checksum.ts";
import { RowTooLong } from "./compressed.ts";
import {
  incident,
  readFormat,
  readHeartbeat,
  readHeartbeatV2,
  readRotate,
  readXaPrepare,
  readXid,
} from "./control-events.ts";
import { Cursor } from "./cursor.ts";
import type { DecodedEvent, EventContent, GtidEvent } from "./decoded-event.ts";
import { EVENT, ROWS } from "./event-type.ts";
import { GtidReader, readMariaDbGtid, readTagged, type Gtid } from "./gtid.ts";
import { readQuery } from "./query.ts";
import { MAX_GATHERED_BYTES, RowsReader, type RowsForm } from "./rows.ts";
import { TableMaps, type TableMapOptions } from "./table-map.ts";
import { payloadEvents } from "./transaction-payload.ts";

/*
 * An event (MySQL's source, "Binary log event structure"; integers are little-endian):
 *
 *     Int32 timestamp  Int8 type  Int32 server id  Int32 length of the event  Int32 its end in the file  Int16 flags
 *     body, by its type
 *     Int32 checksum, if the file has them
 */
const HEAD_BYTES = 19;
const TABLE_ID_BYTES = 6;
const TYPE_AT = 4;
const SERVER_ID_AT = 5;
const LENGTH_AT = 9;
const END_AT = 13;
const FLAGS_AT = 17;
/** A reader that does not know the event may go on without it. */
const IGNORABLE_FLAG = 0x80;

export interface BinlogDecoderOptions extends TableMapOptions {
  /** Old rows whole, as far as the log has them; else of a table with a key only the key, where it changed. */
  readonly wholeBefore: boolean;
  /** A transaction of MariaDB begins. */
  readonly onBegin?: ((gtid: Gtid | null) => void) | undefined;
}

/** Turns events of the binlog into what they say, rows straight in the form the codec writes. One per stream. */
export class BinlogDecoder {
  readonly #options: BinlogDecoderOptions;
  readonly #maps: TableMaps;
  readonly #rows: RowsReader;
  readonly #gtids = new GtidReader();
  readonly #cursor = new Cursor();
  /** Null before the first format description. */
  #hasChecksums: boolean | null = null;

  constructor(options: BinlogDecoderOptions) {
    this.#options = options;
    this.#maps = new TableMaps(options);
    this.#rows = new RowsReader(this.#maps, options);
  }

  /** Every definition seen in this stream, by the id that events use. */
  get tables(): ReadonlyMap<number, Table> {
    return this.#maps.tables;
  }

  /** As `TableMaps.numberOf`. */
  numberOf(table: TableName): number | null {
    return this.#maps.numberOf(table);
  }

  /** What else is known of tables has changed: their definitions are read again. */
  forget(): void {
    this.#maps.forget();
  }

  /**
   * Decodes the event in `buffer` from `start` to `end`; null where it says nothing to a reader. Rejects bytes
   * that are no event, and types that are not known, with `protocol-violation`; the stream must then be read anew.
   */
  decode(buffer: Buffer, start: number, end: number): DecodedEvent | null {
    try {
      if (end - start < HEAD_BYTES || buffer.readUInt32LE(start + LENGTH_AT) !== end - start)
        throw new RangeError("an event has another length than its packet");
      const type = buffer.readUInt8(start + TYPE_AT);
      return this.#event(buffer, start, this.#bodyEnd(buffer, start, end, type), end - start, this.#cursor);
    } catch (error) {
      throw this.#failure(error, buffer, start, end);
    }
  }

  /**
   * An event of which only the head is there is about to be gathered: rejects rows that are too large (M1). False: it
   * says nothing to a reader, and need not be decoded.
   */
  expectLarge(head: Buffer): boolean {
    const bytes = head.readUInt32LE(LENGTH_AT);
    if (!ROWS.has(head.readUInt8(TYPE_AT))) return true;
    return this.#rows.expectBytes(head.readUIntLE(HEAD_BYTES, TABLE_ID_BYTES), bytes);
  }

  /** Where the event's own bytes end. What the server makes up while it sends may come before any format. */
  #bodyEnd(buffer: Buffer, start: number, end: number, type: number): number {
    switch (type) {
      case EVENT.ROTATE:
      case EVENT.HEARTBEAT:
      case EVENT.HEARTBEAT_V2:
        return endsInChecksum(buffer, start, end) ? end - CHECKSUM_BYTES : end;
      case EVENT.FORMAT_DESCRIPTION:
        return end - CHECKSUM_BYTES;
      default:
        if (this.#hasChecksums === null) throw new RangeError("an event before any format description");
        if (!this.#hasChecksums) return end;
        if (!endsInChecksum(buffer, start, end)) throw new RangeError("an event's checksum is wrong");
        return end - CHECKSUM_BYTES;
    }
  }

  #event(buffer: Buffer, start: number, end: number, bytes: number, cursor: Cursor): DecodedEvent | null {
    const endPosition = buffer.readUInt32LE(start + END_AT);
    cursor.reset(buffer, start + HEAD_BYTES, end);
    const content = this.#content(cursor, buffer, start);
    if (content === null) return null;
    return {
      timestamp: buffer.readUInt32LE(start),
      serverId: buffer.readUInt32LE(start + SERVER_ID_AT),
      endPosition,
      bytes,
      content,
    };
  }

  #content(cursor: Cursor, buffer: Buffer, start: number): EventContent | null {
    const type = buffer.readUInt8(start + TYPE_AT);
    const rows = ROWS.get(type);
    if (rows !== undefined) return this.#rowsContent(cursor, rows);
    switch (type) {
      case EVENT.TABLE_MAP:
        this.#maps.accept(cursor, buffer.readUInt32LE(start));
        return null;
      case EVENT.GTID:
      case EVENT.ANONYMOUS_GTID:
        return this.#gtids.read(cursor, type === EVENT.ANONYMOUS_GTID);
      case EVENT.MARIADB_GTID:
        return this.#begun(readMariaDbGtid(cursor, buffer.readUInt32LE(start + SERVER_ID_AT)));
      case EVENT.GTID_TAGGED:
        return readTagged(cursor);
      case EVENT.QUERY:
      case EVENT.MARIADB_QUERY_COMPRESSED:
        return readQuery(cursor, this.#options.charsets, type !== EVENT.QUERY);
      case EVENT.XID:
        return closed(cursor, readXid(cursor));
      case EVENT.XA_PREPARE:
        return closed(cursor, readXaPrepare(cursor));
      case EVENT.FORMAT_DESCRIPTION: {
        const { content, hasChecksums } = readFormat(cursor);
        this.#hasChecksums = hasChecksums;
        return content;
      }
      case EVENT.ROTATE:
        return readRotate(cursor);
      case EVENT.HEARTBEAT:
        return readHeartbeat(cursor, buffer.readUInt32LE(start + END_AT), this.#options.flavour);
      case EVENT.HEARTBEAT_V2:
        return readHeartbeatV2(cursor);
      case EVENT.TRANSACTION_PAYLOAD:
        return { kind: "payload", events: this.#payload(cursor) };
      default:
        return this.#withoutContent(type, cursor, buffer.readUInt16LE(start + FLAGS_AT));
    }
  }

  #begun(event: GtidEvent): GtidEvent {
    this.#options.onBegin?.(event.gtid);
    return event;
  }

  #rowsContent(cursor: Cursor, form: RowsForm): EventContent | null {
    const rows = this.#rows.read(cursor, form);
    if (rows === null) return null;
    return {
      kind: "rows",
      table: rows.mapped.table,
      events: rows.events,
      isStatementEnd: rows.isStatementEnd,
    };
  }

  /** What says nothing, and what must not be passed over. */
  #withoutContent(type: number, cursor: Cursor, flags: number): null {
    switch (type) {
      case EVENT.STOP:
      case EVENT.INTVAR:
      case EVENT.RAND:
      case EVENT.USER_VAR:
      case EVENT.IGNORABLE:
      case EVENT.ROWS_QUERY:
      case EVENT.PREVIOUS_GTIDS:
      case EVENT.TRANSACTION_CONTEXT:
      case EVENT.VIEW_CHANGE:
      case EVENT.MARIADB_ANNOTATE_ROWS:
      case EVENT.MARIADB_BINLOG_CHECKPOINT:
      case EVENT.MARIADB_GTID_LIST:
      case EVENT.MARIADB_START_ENCRYPTION:
        return null;
      case EVENT.INCIDENT:
        throw incident(cursor);
      case EVENT.BEGIN_LOAD_QUERY:
      case EVENT.APPEND_BLOCK:
      case EVENT.EXECUTE_LOAD_QUERY:
        throw new ReplicationError(
          "setup-incomplete",
          "the primary's log has LOAD DATA as a statement instead of rows",
          { fix: "SET GLOBAL binlog_format = ROW, also in sessions that set their own" },
        );
      default:
        if ((flags & IGNORABLE_FLAG) !== 0) return null;
        throw new RangeError("its type is not known");
    }
  }

  *#payload(cursor: Cursor): Generator<DecodedEvent> {
    const inner = new Cursor();
    const { bytes, at, end } = cursor;
    const maxEventBytes = 2 * this.#options.maxRowBytes + MAX_GATHERED_BYTES;
    try {
      for (const event of payloadEvents(new Cursor(bytes, at, end), maxEventBytes)) {
        const decoded = this.#inner(event, inner);
        if (decoded !== null) yield decoded;
      }
    } catch (error) {
      throw this.#failure(error, bytes, at - HEAD_BYTES, end);
    }
  }

  /** An event of a payload; it is as long as it says. */
  #inner(event: Buffer, cursor: Cursor): DecodedEvent | null {
    if (event.readUInt8(TYPE_AT) === EVENT.TRANSACTION_PAYLOAD) throw new RangeError("a payload in another");
    return this.#event(event, 0, event.length, event.length, cursor);
  }

  /** Whatever reads beyond an event is the server's fault or a broken link, and never goes unsaid. */
  #failure(error: unknown, buffer: Buffer, start: number, end: number): unknown {
    if (error instanceof RangeError) return malformed(buffer, start, end, error);
    if (error instanceof RowTooLong) return eventTooLarge(error, this.#options.maxRowBytes);
    return error;
  }
}

function closed(cursor: Cursor, content: EventContent): EventContent {
  cursor.expectEnd();
  return content;
}

function eventTooLarge(cause: RowTooLong, maxRowBytes: number): ReplicationError {
  return new ReplicationError(
    "row-too-large",
    `the primary sends a row in a compressed event of ${cause.bytes} bytes; maxRowBytes is ${maxRowBytes}`,
    { cause, fix: `raise maxRowBytes above ${cause.bytes} (memory: up to eight times that)` },
  );
}

function malformed(buffer: Buffer, start: number, end: number, cause: RangeError): ReplicationError {
  const hasHead = end - start >= HEAD_BYTES;
  const type = hasHead ? String(buffer.readUInt8(start + TYPE_AT)) : "(none)";
  const position = hasHead ? String(buffer.readUInt32LE(start + END_AT)) : "(none)";
  return new ReplicationError(
    "protocol-violation",
    `a binlog event of type ${type} that ends at ${position} is malformed: ${cause.message}`,
    {
      cause,
      fix: "report it with the server's version; the stream is read again from the last confirmed position",
    },
  );
}

import type { Cursor } from "./cursor.ts";
import type { GtidEvent } from "./decoded-event.ts";
import { readTaggedGtid } from "./tagged-gtid.ts";
import { xaName } from "./xid.ts";

/** One transaction's global name. */
export type Gtid =
  | {
      readonly flavour: "mysql";
      /** Lower case, with dashes. */
      readonly source: string;
      /** Empty where there is none. */
      readonly tag: string;
      readonly number: bigint;
    }
  | {
      readonly flavour: "mariadb";
      readonly domainId: number;
      readonly serverId: number;
      readonly sequence: bigint;
    };

/*
 * GTID and ANONYMOUS_GTID of MySQL:
 *
 *     Int8 flags  Byte[16] uuid  Int64 number
 *     Int8 2, the logical clock's type  Int64 last committed  Int64 sequence number
 *     Int56 microseconds of the commit on this server; highest bit set: Int56 those on the server it came from follow
 *     packed length of the transaction  Int32 server's version (highest bit set: Int32 of the original follows)
 *     Int64 group's ticket (since 8.0.33)
 *
 * MySQL 5.7 ends after the logical clock.
 */
const UUID_BYTES = 16;
const CLOCK_BYTES = 17;
const HAS_ORIGINAL = 0x80;

/** Reads the GTIDs of one stream. */
export class GtidReader {
  #source: Buffer = Buffer.alloc(UUID_BYTES);
  #sourceText: string = uuidText(this.#source);

  read(cursor: Cursor, isAnonymous: boolean): GtidEvent {
    cursor.take(1);
    const source = this.#uuid(cursor);
    const number = cursor.uint64();
    cursor.take(CLOCK_BYTES);
    let committedAtUs: number | null = null;
    let transactionBytes: number | null = null;
    if (cursor.left > 0) {
      committedAtUs = readMicroseconds(cursor, () => readMicroseconds(cursor, null));
      if (cursor.left > 0) transactionBytes = cursor.packed();
    }
    return {
      kind: "gtid",
      gtid: isAnonymous ? null : { flavour: "mysql", source, tag: "", number },
      committedAtUs,
      transactionBytes,
      isStandalone: false,
      xa: null,
    };
  }

  /** Nearly always the one before. */
  #uuid(cursor: Cursor): string {
    const at = cursor.take(UUID_BYTES);
    if (this.#source.compare(cursor.bytes, at, at + UUID_BYTES) === 0) return this.#sourceText;
    this.#source = Buffer.from(cursor.bytes.subarray(at, at + UUID_BYTES));
    this.#sourceText = uuidText(this.#source);
    return this.#sourceText;
  }
}

/** `original` is read where the time on the server it came from follows. */
function readMicroseconds(cursor: Cursor, original: (() => number) | null): number {
  const at = cursor.take(7);
  const { view } = cursor;
  const top = view.getUint8(at + 6);
  if ((top & HAS_ORIGINAL) !== 0 && original !== null) return original();
  const high = view.getUint16(at + 4, true) + (top & ~HAS_ORIGINAL) * 65_536;
  return high * 4_294_967_296 + view.getUint32(at, true);
}

/** GTID_TAGGED of MySQL 8.3 and later; see tagged-gtid.ts. */
export function readTagged(cursor: Cursor): GtidEvent {
  const { source, tag, number, committedAtUs, transactionBytes } = readTaggedGtid(cursor);
  return {
    kind: "gtid",
    gtid: { flavour: "mysql", source: uuidText(source), tag, number },
    committedAtUs,
    transactionBytes,
    isStandalone: false,
    xa: null,
  };
}

/*
 * GTID of MariaDB; the server's id is in the event's head:
 *
 *     Int64 sequence  Int32 domain  Int8 flags
 *     flags & 2: Int64 id of the group it was committed with
 *     flags & 0x40 or 0x80: Int32 format  Int8 length of gtrid  Int8 length of bqual  gtrid  bqual
 *     what else follows is not needed
 *
 * flags: 1 standalone, 2 group commit, 4 transactional, 8 may be parallel, 0x10 waited, 0x20 DDL, 0x40 XA PREPARE,
 * 0x80 XA COMMIT or ROLLBACK.
 */
const STANDALONE = 0x01;
const GROUP_COMMIT = 0x02;
const XA_PREPARE = 0x40;
const XA_COMPLETE = 0x80;

export function readMariaDbGtid(cursor: Cursor, serverId: number): GtidEvent {
  const sequence = cursor.uint64();
  const domainId = cursor.uint32();
  const flags = cursor.uint8();
  if ((flags & GROUP_COMMIT) !== 0) cursor.take(8);
  const xid = (flags & (XA_PREPARE | XA_COMPLETE)) === 0 ? null : readXid(cursor);
  return {
    kind: "gtid",
    gtid: { flavour: "mariadb", domainId, serverId, sequence },
    committedAtUs: null,
    transactionBytes: null,
    isStandalone: (flags & STANDALONE) !== 0,
    xa: xid === null ? null : { xid, step: (flags & XA_PREPARE) !== 0 ? "prepare" : "complete" },
  };
}

function readXid(cursor: Cursor): string {
  const formatId = cursor.uint32();
  const gtrid = cursor.uint8();
  const bqual = cursor.uint8();
  return xaName(cursor.slice(gtrid), cursor.slice(bqual), formatId);
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

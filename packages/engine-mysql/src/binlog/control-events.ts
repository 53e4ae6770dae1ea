import { ReplicationError } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import type { Cursor } from "./cursor.ts";
import type { EventContent } from "./decoded-event.ts";
import { xaName } from "./xid.ts";

/*
 * FORMAT_DESCRIPTION, the first event of each file; with a server that knows checksums, its own is always there:
 *
 *     Int16 version, 4  Byte[50] server's version, zero bytes at the end  Int32 created at  Int8 bytes of a head, 19
 *     Int8 bytes of the fixed part of each type from 1 on  Int8 checksums: 0 none, 1 CRC-32
 */
const LOG_VERSION = 4;
const HEAD_BYTES = 19;
const TABLE_MAP = 19;
/** Table id of six bytes and flags; older servers had four. */
const TABLE_HEAD_BYTES = 8;

export interface Format {
  readonly content: EventContent;
  readonly hasChecksums: boolean;
}

export function readFormat(cursor: Cursor): Format {
  if (cursor.uint16() !== LOG_VERSION) throw new RangeError("a log of another version");
  const version = cursor.slice(50);
  const zero = version.indexOf(0);
  const serverVersion = version.toString("utf8", 0, zero < 0 ? 50 : zero);
  const createdAt = cursor.uint32();
  if (cursor.uint8() !== HEAD_BYTES) throw new RangeError("events with another head");
  const fixedParts = cursor.slice(cursor.left - 1);
  if (fixedParts[TABLE_MAP - 1] !== TABLE_HEAD_BYTES) throw new RangeError("table ids of another width");
  const checksums = cursor.uint8();
  if (checksums > 1) throw new RangeError(`checksums of kind ${checksums}`);
  return { content: { kind: "format", serverVersion, createdAt }, hasChecksums: checksums === 1 };
}

/* ROTATE: Int64 position  name of the file to the end. */
export function readRotate(cursor: Cursor): EventContent {
  const position = cursor.uint64();
  const file = cursor.utf8(cursor.left);
  if (file === "") throw new RangeError("a rotation to no file");
  return { kind: "rotate", file, position };
}

/*
 * HEARTBEAT: name of the file to the end; the position is in the event's head. MariaDB puts a position beyond 4 GiB
 * first in the body, as an Int64; the head then has 0.
 */
export function readHeartbeat(cursor: Cursor, endPosition: number, flavour: Flavour): EventContent {
  const isInBody = flavour === "mariadb" && endPosition === 0 && cursor.left >= 8;
  const position = isInBody ? cursor.uint64() : BigInt(endPosition);
  return { kind: "heartbeat", file: cursor.utf8(cursor.left), position };
}

/* HEARTBEAT of version 2: fields of packed type, packed length and value: 1 name of the file, 2 packed position; 0 ends. */
export function readHeartbeatV2(cursor: Cursor): EventContent {
  let file = "";
  let position = 0;
  while (cursor.left > 0) {
    const type = cursor.packed();
    if (type === 0) break;
    const length = cursor.packed();
    const end = cursor.at + length;
    if (type === 1) file = cursor.utf8(length);
    else if (type === 2) position = cursor.packed();
    else cursor.take(length);
    if (cursor.at !== end) throw new RangeError("a heartbeat's field has another length");
  }
  return { kind: "heartbeat", file, position: BigInt(position) };
}

/* XID: Int64. */
export function readXid(cursor: Cursor): EventContent {
  const xid = cursor.uint64();
  return { kind: "xid", xid };
}

/* XA_PREPARE: Int8 one phase  Int32 format  Int32 length of gtrid  Int32 length of bqual  gtrid  bqual. */
export function readXaPrepare(cursor: Cursor): EventContent {
  const isOnePhase = cursor.uint8() !== 0;
  const formatId = cursor.uint32();
  const gtrid = cursor.uint32();
  const bqual = cursor.uint32();
  return { kind: "xa-prepare", xid: xaName(cursor.slice(gtrid), cursor.slice(bqual), formatId), isOnePhase };
}

/* INCIDENT: Int16 which  Int8 length  message. */
export function incident(cursor: Cursor): ReplicationError {
  const which = cursor.uint16();
  const message = cursor.utf8(cursor.uint8());
  return new ReplicationError(
    "history-gap",
    `the primary says that its log lost events (incident ${which}): ${message}`,
    { fix: "make the pipeline anew: remove it, and run it with a snapshot" },
  );
}

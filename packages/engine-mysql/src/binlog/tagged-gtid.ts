import type { Cursor } from "./cursor.ts";

/*
 * GTID_TAGGED is one message of MySQL's serialization library:
 *
 *     number version, 1  number size of the whole  number last field that must be known, plus 1
 *     fields in order, each: number id  value; absent where not set:
 *         0 flags        1 uuid: 16 numbers     2 number, signed       3 tag: number length  bytes
 *         4 last committed, signed    5 sequence number, signed    6 microseconds of the commit on this server
 *         7 those on the server it came from    8 length of the transaction    9 ...: not needed
 *
 * A number has as many 1 bits at the low end of its first byte as bytes follow; they, and the 0 bit above them, are
 * dropped from the little-endian number. A signed one has its sign in the lowest bit, the others turned if set.
 */
const VERSION = 1n;
/** How many fields we know. */
const KNOWN_FIELDS = 12n;

export interface TaggedGtid {
  readonly source: Buffer;
  readonly tag: string;
  readonly number: bigint;
  readonly committedAtUs: number | null;
  readonly transactionBytes: number | null;
}

export function readTaggedGtid(outer: Cursor): TaggedGtid {
  const start = outer.at;
  if (readNumber(outer) !== VERSION) throw new RangeError("a tagged GTID of another version");
  const size = readSmall(outer);
  if (readNumber(outer) > KNOWN_FIELDS) throw new RangeError("a tagged GTID with fields that are not known");
  const headEnd = outer.at;
  outer.at = start;
  outer.take(size);
  outer.expectEnd();
  outer.at = headEnd;
  return readFields(outer);
}

function readFields(cursor: Cursor): TaggedGtid {
  let source: Buffer | null = null;
  let tag = "";
  let number: bigint | null = null;
  let immediate: number | null = null;
  let original: number | null = null;
  let transactionBytes: number | null = null;
  let last = -1;
  while (cursor.left > 0) {
    const id = readSmall(cursor);
    if (id <= last) throw new RangeError("a tagged GTID's fields are out of order");
    last = id;
    if (id === 1) source = Buffer.from(Array.from({ length: 16 }, () => readSmall(cursor)));
    else if (id === 2) number = readSigned(cursor);
    else if (id === 3) tag = cursor.utf8(readSmall(cursor));
    else if (id === 6) immediate = readSmall(cursor);
    else if (id === 7) original = readSmall(cursor);
    else if (id === 8) transactionBytes = readSmall(cursor);
    else if (id > 8) break;
    else readNumber(cursor);
  }
  if (source === null || number === null) throw new RangeError("a tagged GTID without uuid or number");
  return { source, tag, number, committedAtUs: original ?? immediate, transactionBytes };
}

function readNumber(cursor: Cursor): bigint {
  const first = cursor.uint8();
  let follow = 0;
  while (follow < 8 && ((first >> follow) & 1) !== 0) follow += 1;
  let value = 0n;
  const at = cursor.take(follow);
  for (let index = follow - 1; index >= 0; index--) {
    value = (value << 8n) | BigInt(cursor.view.getUint8(at + index));
  }
  return follow >= 8 ? value : (value << BigInt(7 - follow)) | BigInt(first >> (follow + 1));
}

function readSigned(cursor: Cursor): bigint {
  const value = readNumber(cursor);
  return (value & 1n) === 0n ? value >> 1n : ~(value >> 1n);
}

function readSmall(cursor: Cursor): number {
  const value = readNumber(cursor);
  if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("a number is too large");
  return Number(value);
}

import { Decompress } from "fzstd";
import { RowTooLong } from "./compressed.ts";
import { Cursor } from "./cursor.ts";

/*
 * TRANSACTION_PAYLOAD: fields of packed type, packed length and value: 1 packed size of what follows, 2 packed
 * compression (0 zstd, 255 none), 3 packed size uncompressed; type 0, without a length, ends them. Then the
 * events of a transaction but for its GTID, one behind the other, without checksums.
 *
 * zstd (RFC 8878): frames: Int32 0xFD2FB528  Int8 descriptor  Int8 window, absent if the descriptor's bit 5 is set
 * dictionary's id  size; then blocks: Int24 bit 0 last, bits 1-2 type, others size; content, of type 1 (one byte
 * repeated) a single byte; then Int32 checksum if the descriptor's bit 2 is set.
 */
const END = 0;
const PAYLOAD_SIZE = 1;
const COMPRESSION = 2;
const UNCOMPRESSED_SIZE = 3;
const ZSTD = 0;
const NOT_COMPRESSED = 255;
const ZSTD_MAGIC = 0xfd2f_b528;
const EVENT_HEAD_BYTES = 19;
const EVENT_LENGTH_AT = 9;
/** A larger window would have to be kept whole; the server's default level needs 2 MiB. */
const MAX_WINDOW_BYTES = 64 * 1024 * 1024;

/** The events' bytes, one at a time; of the whole no more is unpacked at once than an event and a block. */
export function* payloadEvents(cursor: Cursor, maxEventBytes: number): Generator<Buffer> {
  const { compression, size, packed } = readFields(cursor);
  if (compression === NOT_COMPRESSED) {
    yield* eventsOf([packed], packed.length, maxEventBytes);
    return;
  }
  if (compression !== ZSTD) throw new RangeError(`a transaction compressed by method ${compression}`);
  yield* eventsOf(unpacked(packed), size, maxEventBytes);
}

function readFields(cursor: Cursor): {
  readonly compression: number;
  readonly size: number;
  readonly packed: Buffer;
} {
  let compression = NOT_COMPRESSED;
  let size = 0;
  let packedSize = -1;
  for (;;) {
    const type = cursor.packed();
    if (type === END) break;
    const length = cursor.packed();
    const end = cursor.take(length) + length;
    cursor.at = end - length;
    if (type === PAYLOAD_SIZE) packedSize = cursor.packed();
    else if (type === COMPRESSION) compression = cursor.packed();
    else if (type === UNCOMPRESSED_SIZE) size = cursor.packed();
    else cursor.at = end;
    if (cursor.at !== end) throw new RangeError("a payload's field has another length");
  }
  if (packedSize !== cursor.left) throw new RangeError("a payload has another size than it says");
  return { compression, size, packed: cursor.slice(packedSize) };
}

/** Cuts chunks into events. */
function* eventsOf(chunks: Iterable<Buffer>, size: number, maxEventBytes: number): Generator<Buffer> {
  let rest: Buffer[] = [];
  let length = 0;
  let total = 0;
  for (const chunk of chunks) {
    rest.push(chunk);
    length += chunk.length;
    total += chunk.length;
    if (length < wanted(rest, length, maxEventBytes)) continue;
    let bytes = Buffer.concat(rest);
    while (bytes.length >= EVENT_HEAD_BYTES) {
      const next = eventBytes(bytes, maxEventBytes);
      if (bytes.length < next) break;
      yield bytes.subarray(0, next);
      bytes = bytes.subarray(next);
    }
    rest = [bytes];
    length = bytes.length;
  }
  if (length > 0) throw new RangeError("a payload ends within an event");
  if (total !== size) throw new RangeError("a payload unpacks to another size than it says");
}

/** How many bytes make the next event whole, as far as that is known. */
function wanted([first]: readonly Buffer[], length: number, maxEventBytes: number): number {
  if (length < EVENT_HEAD_BYTES || first === undefined || first.length < EVENT_HEAD_BYTES)
    return EVENT_HEAD_BYTES;
  return eventBytes(first, maxEventBytes);
}

function eventBytes(bytes: Buffer, maxEventBytes: number): number {
  const length = bytes.readUInt32LE(EVENT_LENGTH_AT);
  if (length < EVENT_HEAD_BYTES) throw new RangeError(`an event of ${length} bytes`);
  if (length > maxEventBytes) throw new RowTooLong(length);
  return length;
}

/** Block by block, so that a few bytes never become more than a block's 128 KiB at once. */
function* unpacked(packed: Buffer): Generator<Buffer> {
  const cursor = new Cursor(packed);
  while (cursor.left > 0) {
    let out: Buffer[] = [];
    const frame = new Decompress((chunk) => {
      out.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    });
    const push = (start: number, isLast: boolean): void => {
      try {
        frame.push(packed.subarray(start, cursor.at), isLast);
      } catch (error) {
        throw new RangeError("a compressed transaction is malformed", { cause: error });
      }
    };
    let start = cursor.at;
    const hasChecksum = skipFrameHead(cursor);
    for (let isLast = false; !isLast;) {
      isLast = skipBlock(cursor);
      if (isLast && hasChecksum) cursor.take(4);
      push(start, isLast);
      start = cursor.at;
      yield* out;
      out = [];
    }
  }
}

/** Answers whether a checksum ends the frame. */
function skipFrameHead(cursor: Cursor): boolean {
  if (cursor.uint32() !== ZSTD_MAGIC) throw new RangeError("a payload that is not zstd");
  const descriptor = cursor.uint8();
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const window = isSingleSegment ? 0 : windowOf(cursor.uint8());
  cursor.take([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const size = contentSize(cursor, sizeBytes);
  if ((isSingleSegment ? size : window) > MAX_WINDOW_BYTES)
    throw new RangeError("a payload with a window above 64 MiB");
  return (descriptor & 4) !== 0;
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(cursor: Cursor, bytes: number): number {
  const at = cursor.take(bytes);
  if (bytes === 2) return cursor.view.getUint16(at, true) + 256;
  if (bytes === 8) return Number(cursor.view.getBigUint64(at, true));
  return bytes === 0 ? 0 : cursor.bytes.readUIntLE(at, bytes);
}

/** Answers whether it was the frame's last. */
function skipBlock(cursor: Cursor): boolean {
  const head = cursor.uint24();
  const type = (head >> 1) & 3;
  const size = head >> 3;
  if (type === 3 || size > 128 * 1024) throw new RangeError("a zstd block of no known form");
  cursor.take(type === 1 ? 1 : size);
  return (head & 1) !== 0;
}

import { RowTooLong } from "./compressed.ts";
import type { Cursor } from "./cursor.ts";
import { unpackFrames } from "./zstd/frames.ts";

/*
 * TRANSACTION_PAYLOAD: fields of packed type, packed length and value: 1 packed size of what follows, 2 packed
 * compression (0 zstd, 255 none), 3 packed size uncompressed; type 0, without a length, ends them. Then the
 * events of a transaction but for its GTID, one behind the other, without checksums.
 */
const END = 0;
const PAYLOAD_SIZE = 1;
const COMPRESSION = 2;
const UNCOMPRESSED_SIZE = 3;
const ZSTD = 0;
const NOT_COMPRESSED = 255;
const EVENT_HEAD_BYTES = 19;
const EVENT_LENGTH_AT = 9;

/** The events' bytes, one at a time; of the whole no more is unpacked at once than an event and a block. */
export function* payloadEvents(cursor: Cursor, maxEventBytes: number): Generator<Buffer> {
  const { compression, size, packed } = readFields(cursor);
  if (compression === NOT_COMPRESSED) {
    yield* eventsOf([packed], packed.length, maxEventBytes);
    return;
  }
  if (compression !== ZSTD) throw new RangeError(`a transaction compressed by method ${compression}`);
  yield* eventsOf(unpackFrames(packed), size, maxEventBytes);
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
    if (total > size) break;
    if (length < wanted(rest, length, maxEventBytes)) {
      rest[rest.length - 1] = Buffer.from(chunk); // It would keep all of what its frame is unpacked into.
      continue;
    }
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
  if (total <= size && length > 0) throw new RangeError("a payload ends within an event");
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

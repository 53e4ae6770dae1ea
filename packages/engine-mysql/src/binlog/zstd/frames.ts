import { Cursor } from "../cursor.ts";
import { CompressedBlocks } from "./compressed-blocks.ts";
import { Output } from "./output.ts";

/*
 * zstd (RFC 8878, 3.1.1; integers are little-endian), one frame behind the other:
 *
 *     Int32 0xFD2FB528  Int8 descriptor: bits 0-1 length of the dictionary's id, 2 has a checksum, 3 reserved,
 *       5 single segment, 6-7 length of the content's size
 *     Int8 window: bits 3-7 exponent, 0-2 mantissa; absent if single segment: then it is the content's size
 *     dictionary's id (0, 1, 2 or 4 bytes)  content's size (0, or 1 if single segment; 2, less 256; 4; 8)
 *     blocks: Int24 bit 0 last, 1-2 type, 3-23 size; content: type 0 as it is, 1 one byte, repeated, 2 compressed
 *     Int32 checksum, if it has one
 *
 * Skippable frames and dictionaries are refused: MySQL makes none. The checksum (XXH64, which needs integers of
 * 64 bits) is not verified: the binlog has its own for each event.
 */
const MAGIC = 0xfd2f_b528;
const HAS_CHECKSUM = 4;
const RESERVED = 8;
const SINGLE_SEGMENT = 0x20;
const RAW = 0;
const REPEATED = 1;
const COMPRESSED = 2;
/** A block's, packed or not (3.1.1.2.4). */
const MAX_BLOCK_BYTES = 128 * 1024;
/** A larger window would have to be kept whole; the server's default level needs 2 MiB. */
const MAX_WINDOW_BYTES = 64 * 1024 * 1024;

/** What frames hold, block by block: at most 128 KiB at once; it stays as it is. Throws `RangeError` where malformed. */
export function* unpackFrames(packed: Buffer): Generator<Buffer> {
  const cursor = new Cursor(packed);
  while (cursor.left > 0) yield* unpackFrame(cursor);
}

function* unpackFrame(cursor: Cursor): Generator<Buffer> {
  const { window, contentSize, hasChecksum } = readHead(cursor);
  const maxBlockBytes = Math.min(window, MAX_BLOCK_BYTES);
  const output = new Output(window);
  const compressed = new CompressedBlocks(cursor.bytes);
  let left = contentSize;
  for (let isLast = false; !isLast;) {
    const head = cursor.uint24();
    isLast = (head & 1) !== 0;
    const size = head >> 3;
    if (size > maxBlockBytes) throw new RangeError("a zstd block is too large");
    const type = (head >> 1) & 3;
    const maxBytes = Math.min(type === COMPRESSED ? maxBlockBytes : size, left);
    output.startBlock(maxBytes);
    switch (type) {
      case RAW:
        output.append(cursor.bytes, cursor.take(size), size);
        break;
      case REPEATED:
        output.fill(cursor.uint8(), size);
        break;
      case COMPRESSED:
        compressed.unpack(cursor.take(size), cursor.at, output, maxBytes);
        break;
      default:
        throw new RangeError("a zstd block of no known type");
    }
    const block = output.block();
    left -= block.length;
    if (block.length > 0) yield block;
  }
  if (contentSize !== Infinity && left !== 0)
    throw new RangeError("a zstd frame has another size than it says");
  if (hasChecksum) cursor.take(4);
}

interface FrameHead {
  readonly window: number;
  /** Infinity if the frame does not say. */
  readonly contentSize: number;
  readonly hasChecksum: boolean;
}

function readHead(cursor: Cursor): FrameHead {
  if (cursor.uint32() !== MAGIC) throw new RangeError("a payload that is not zstd");
  const descriptor = cursor.uint8();
  if ((descriptor & RESERVED) !== 0) throw new RangeError("a zstd frame of no known form");
  const isSingleSegment = (descriptor & SINGLE_SEGMENT) !== 0;
  const window = isSingleSegment ? 0 : windowOf(cursor.uint8());
  if ((descriptor & 3) !== 0) throw new RangeError("a zstd frame that needs a dictionary");
  const contentSize = readContentSize(cursor, descriptor >> 6, isSingleSegment);
  const head = {
    window: isSingleSegment ? contentSize : window,
    contentSize,
    hasChecksum: (descriptor & HAS_CHECKSUM) !== 0,
  };
  if (head.window > MAX_WINDOW_BYTES) throw new RangeError("a payload with a window above 64 MiB");
  return head;
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readContentSize(cursor: Cursor, flag: number, isSingleSegment: boolean): number {
  switch (flag) {
    case 0:
      return isSingleSegment ? cursor.uint8() : Infinity;
    case 1:
      return cursor.uint16() + 256;
    case 2:
      return cursor.uint32();
    default:
      return Number(cursor.uint64());
  }
}

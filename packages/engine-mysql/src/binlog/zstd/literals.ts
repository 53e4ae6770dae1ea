import type { Cursor } from "../cursor.ts";
import { COPIED_BYTES } from "./copied-bytes.ts";
import { readHuffmanStreams } from "./huffman-streams.ts";
import { readHuffmanTable, type HuffmanTable } from "./huffman-table.ts";

/*
 * The literals' section (RFC 8878, 3.1.1.3.1): a head of bits 0-1 type, 2-3 form, then size; of type 2 and 3 also
 * the packed size: together 1 to 5 bytes. Type 0: bytes as they are. 1: one byte, repeated. 2: a tree and what it
 * packs. 3: the same by the last block's tree. Packed, they are one stream, or four behind Int16 size of each of
 * the first three.
 */
const RAW = 0;
const REPEATED = 1;
const COMPRESSED = 2;
const STREAMS = 4;

/** The literals of one block after the other, until the next are read: the first `size` of `bytes`. */
export class Literals {
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(this.bytes.buffer, 0, 0);
  size = 0;
  #table: HuffmanTable | null = null;

  /** Reads the section; more than `maxBytes` are refused. */
  read(cursor: Cursor, maxBytes: number): void {
    const type = cursor.uint8() & 3;
    cursor.at -= 1;
    if (type === RAW || type === REPEATED) {
      this.#resize(readSize(cursor), maxBytes);
      if (type === REPEATED) this.bytes.fill(cursor.uint8(), 0, this.size);
      else cursor.slice(this.size).copy(this.bytes);
      return;
    }
    const { size, packedSize, streams } = readSizes(cursor);
    this.#resize(size, maxBytes);
    const end = cursor.take(packedSize) + packedSize;
    cursor.at = end - packedSize;
    if (type === COMPRESSED) this.#table = readHuffmanTable(cursor);
    if (this.#table === null) throw new RangeError("zstd literals by a tree that was not there");
    const ends = streams === 1 ? [end] : endsOf(cursor, end);
    readHuffmanStreams(this.#table, cursor.view, cursor.at, ends, this.bytes, size);
    cursor.at = end;
  }

  #resize(size: number, maxBytes: number): void {
    if (size > maxBytes) throw new RangeError("zstd literals are too large");
    this.size = size;
    if (this.bytes.length >= size + COPIED_BYTES) return;
    this.bytes = Buffer.allocUnsafe(size + COPIED_BYTES);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }
}

function readSize(cursor: Cursor): number {
  const head = cursor.uint8();
  const form = (head >> 2) & 3;
  if ((form & 1) === 0) return head >> 3;
  const more = form === 1 ? cursor.uint8() : cursor.uint16();
  return (head >> 4) | (more << 4);
}

function readSizes(cursor: Cursor): {
  readonly size: number;
  readonly packedSize: number;
  readonly streams: number;
} {
  const form = (cursor.uint8() >> 2) & 3;
  cursor.at -= 1;
  const bytes = Math.max(3, form + 2);
  const width = [10, 10, 14, 18][form] ?? 0;
  const head = Math.floor(cursor.bytes.readUIntLE(cursor.take(bytes), bytes) / 16);
  return {
    size: head % 2 ** width,
    packedSize: Math.floor(head / 2 ** width),
    streams: form === 0 ? 1 : STREAMS,
  };
}

/** Where each of the four streams ends; the last does where the section does. */
function endsOf(cursor: Cursor, end: number): readonly number[] {
  const sizes = [cursor.uint16(), cursor.uint16(), cursor.uint16()];
  const ends: number[] = [];
  let at = cursor.at;
  for (const size of sizes) ends.push((at += size));
  if (at > end) throw new RangeError("zstd streams of literals are longer than all of them");
  return [...ends, end];
}

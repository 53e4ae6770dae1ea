import { inflateRawSync, inflateSync } from "node:zlib";
import type { ColumnReader } from "./column-reader.ts";
import type { Cursor } from "./cursor.ts";

/*
 * A COMPRESSED column of MariaDB: a length as for a blob, then nothing (the empty value) or Int8 head and bytes.
 * Head: bits 4-7 the method: 0 none, the bytes are the value; 8 zlib; bit 3: without zlib's own header; bits 0-2:
 * how many bytes the length of the value has, which comes first, big-endian.
 */
const METHOD_NONE = 0;
const METHOD_ZLIB = 8;
const IS_RAW = 8;

/** Reads a compressed value, never more than `maxBytes` of it. */
export function compressed(width: number, maxBytes: number, textOf: (bytes: Buffer) => string): ColumnReader {
  return {
    read: (cursor) => textOf(uncompressed(cursor.slice(cursor.length(width)), maxBytes)),
    skip: (cursor: Cursor) => void cursor.take(cursor.length(width)),
  };
}

function uncompressed(value: Buffer, maxBytes: number): Buffer {
  const head = value[0];
  if (head === undefined) return value;
  const method = head >> 4;
  if (method === METHOD_NONE) return value.subarray(1);
  if (method !== METHOD_ZLIB) throw new RangeError(`a column compressed by method ${method}`);
  const lengthBytes = head & 7;
  if (lengthBytes < 1 || lengthBytes > 4 || value.length < 1 + lengthBytes)
    throw new RangeError("a compressed value has no length");
  const length = value.readUIntBE(1, lengthBytes);
  return inflate(value.subarray(1 + lengthBytes), length, { isRaw: (head & IS_RAW) !== 0, maxBytes });
}

/** Inflates to exactly `length` bytes; rejects with a `RangeError` what does not. */
export function inflate(
  packed: Buffer,
  length: number,
  { isRaw, maxBytes }: { readonly isRaw: boolean; readonly maxBytes: number },
): Buffer {
  if (length > maxBytes) throw new RowTooLong(length);
  let plain: Buffer;
  try {
    const options = { maxOutputLength: Math.max(1, length) };
    plain = isRaw ? inflateRawSync(packed, options) : inflateSync(packed, options);
  } catch (error) {
    throw new RangeError("compressed bytes are malformed", { cause: error });
  }
  if (plain.length !== length) throw new RangeError("compressed bytes have another length than they say");
  return plain;
}

/** What is compressed is larger than a row may be. */
export class RowTooLong extends Error {
  readonly bytes: number;

  constructor(bytes: number) {
    super("a row is above its limit");
    this.bytes = bytes;
  }
}

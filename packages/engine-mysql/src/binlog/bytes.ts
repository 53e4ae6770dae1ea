import { fixed, prefixed, type ColumnReader } from "./column-reader.ts";
import { float32Text } from "./floats.ts";

/*
 * Strings and blobs: a length in 1 to 4 bytes, and so many bytes. BIT(n): big-endian, the fewest bytes. GEOMETRY:
 * as a blob: Int32 SRID, little-endian, then WKB. VECTOR of MySQL: as a blob: float32 each, little-endian.
 */
const BITS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(2).padStart(8, "0"));

/** BINARY(n), VARBINARY and blobs. Zero bytes that the log leaves out at the end come back: `padTo`. */
export function bytes(width: number, padTo = 0): ColumnReader {
  return prefixed(width, (buffer, start, end) => {
    const text = `\\x${buffer.toString("hex", start, end)}`;
    return end - start < padTo ? text.padEnd(2 + padTo * 2, "0") : text;
  });
}

export function bits(count: number): ColumnReader {
  const width = (count + 7) >> 3;
  if (count < 1 || width > 8) throw new RangeError(`bit(${count})`);
  return fixed(width, ({ view }, at) => {
    let text = "";
    for (let index = 0; index < width; index++) text += BITS[view.getUint8(at + index)] ?? "";
    return text.slice(width * 8 - count);
  });
}

export function geometry(width: number): ColumnReader {
  return prefixed(width, (buffer, start, end, { view }) => {
    if (end - start < 4) throw new RangeError("a geometry has no SRID");
    return `SRID=${view.getUint32(start, true)};${buffer.toString("hex", start + 4, end)}`;
  });
}

export function vector(width: number): ColumnReader {
  return prefixed(width, (_, start, end, { view }) => {
    if ((end - start) % 4 !== 0) throw new RangeError("a vector ends within a number");
    const numbers: string[] = [];
    for (let at = start; at < end; at += 4) numbers.push(float32Text(view.getFloat32(at, true)));
    return `[${numbers.join(",")}]`;
  });
}

import { CodeUnits, isAscii, type DecodeText } from "./text.ts";

/** In the place of a code point where the charset has none. */
export const NO_CODE_POINT = 0xffff_ffff;

/**
 * What a server says of one of its charsets: which code point each sequence of bytes is. Sequences of one
 * byte come first; a byte that is none begins a longer one.
 */
export interface CharsetTable {
  /** By the byte. */
  readonly single: Uint32Array;
  /** By first byte * 256 + second; absent in charsets of one byte. */
  readonly double?: Uint32Array;
  /** Behind a byte 0x8F: by second byte * 256 + third. */
  readonly triple?: Uint32Array;
  /** GB18030: see `quadIndex`; what lies behind the table is Unicode's other planes in order. */
  readonly quad?: Uint32Array;
}

const TRIPLE_LEAD = 0x8f;
/** Where GB18030 has U+10000, and how many it has from there on. */
const OTHER_PLANES_AT = 189_000;
const OTHER_PLANES = 0x10_0000;

/** Counts GB18030's four-byte sequences: the second and fourth byte are 0x30-0x39, the others 0x81-0xFE. */
function quadIndex(first: number, second: number, third: number, fourth: number): number {
  const isOne =
    first >= 0x81 &&
    first <= 0xfe &&
    second >= 0x30 &&
    second <= 0x39 &&
    third >= 0x81 &&
    third <= 0xfe &&
    fourth >= 0x30 &&
    fourth <= 0x39;
  if (!isOne) return -1;
  return (((first - 0x81) * 10 + second - 0x30) * 126 + third - 0x81) * 10 + fourth - 0x30;
}

export function decoderOf(table: CharsetTable): DecodeText {
  const hasAscii = table.single.subarray(0, 0x80).every((code, byte) => code === byte);
  return (bytes, start, end) => {
    if (hasAscii && isAscii(bytes, start, end)) return bytes.toString("latin1", start, end);
    const units = new CodeUnits(end - start);
    let at = start;
    while (at < end) {
      const byte = bytes[at] ?? 0;
      let code = table.single[byte] ?? NO_CODE_POINT;
      let width = 1;
      if (code === NO_CODE_POINT) {
        width = widthOf(table, bytes, at, end);
        code = codeOf(table, bytes, at, width);
      }
      if (code === NO_CODE_POINT) return null;
      units.add(code);
      at += width;
    }
    return units.text();
  };
}

/** Of the sequence of more than one byte at `at`; 0 where there is none. */
function widthOf(table: CharsetTable, bytes: Buffer, at: number, end: number): number {
  const left = end - at;
  if (table.triple !== undefined && bytes[at] === TRIPLE_LEAD) return left >= 3 ? 3 : 0;
  const second = bytes[at + 1] ?? 0;
  if (table.quad !== undefined && left >= 4 && second >= 0x30 && second <= 0x39) return 4;
  return left >= 2 ? 2 : 0;
}

function codeOf(table: CharsetTable, bytes: Buffer, at: number, width: number): number {
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes.subarray(at, at + width);
  switch (width) {
    case 2:
      return table.double?.[first * 256 + second] ?? NO_CODE_POINT;
    case 3:
      return table.triple?.[second * 256 + third] ?? NO_CODE_POINT;
    case 4: {
      const index = quadIndex(first, second, third, fourth);
      const other = index - OTHER_PLANES_AT;
      if (other >= 0) return other < OTHER_PLANES ? 0x1_0000 + other : NO_CODE_POINT;
      return table.quad?.[index] ?? NO_CODE_POINT;
    }
    default:
      return NO_CODE_POINT;
  }
}

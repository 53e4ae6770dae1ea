import { backwardBits, nextWord, type BackwardBits } from "./backward-bits.ts";
import type { HuffmanTable } from "./huffman-table.ts";

/** One stream, or four that are read side by side, which keeps a processor busier: `ends` says where each ends. */
export function readHuffmanStreams(
  table: HuffmanTable,
  view: DataView,
  start: number,
  ends: readonly number[],
  out: Uint8Array,
  size: number,
): void {
  const streams = ends.map((end, index) => backwardBits(view, ends[index - 1] ?? start, end));
  const [first, second, third, fourth] = streams;
  if (first === undefined) return;
  if (second === undefined || third === undefined || fourth === undefined) {
    readStream(table, first, out, 0, size);
    return;
  }
  const part = Math.ceil(size / 4);
  if (part * 3 > size) throw new RangeError("zstd literals are too few for four streams");
  readFour(table, [first, second, third, fourth], out, size);
}

/** All but the last have a quarter, rounded up. */
function readFour(
  table: HuffmanTable,
  [first, second, third, fourth]: readonly [BackwardBits, BackwardBits, BackwardBits, BackwardBits],
  out: Uint8Array,
  size: number,
): void {
  const { view } = first;
  const part = Math.ceil(size / 4);
  const pairs = size - 3 * part - 1;
  let { left: a } = first;
  let { left: b } = second;
  let { left: c } = third;
  let { left: d } = fourth;
  let at = 0;
  while (at < pairs && a > 0 && b > 0 && c > 0 && d > 0) {
    const ofA = pair(table, nextWord(view, first.base, a));
    const ofB = pair(table, nextWord(view, second.base, b));
    const ofC = pair(table, nextWord(view, third.base, c));
    const ofD = pair(table, nextWord(view, fourth.base, d));
    out[at] = ofA;
    out[at + 1] = ofA >> 8;
    out[part + at] = ofB;
    out[part + at + 1] = ofB >> 8;
    out[2 * part + at] = ofC;
    out[2 * part + at + 1] = ofC >> 8;
    out[3 * part + at] = ofD;
    out[3 * part + at + 1] = ofD >> 8;
    a -= ofA >> 16;
    b -= ofB >> 16;
    c -= ofC >> 16;
    d -= ofD >> 16;
    at += 2;
  }
  readStream(table, { ...first, left: a }, out, at, part);
  readStream(table, { ...second, left: b }, out, part + at, 2 * part);
  readStream(table, { ...third, left: c }, out, 2 * part + at, 3 * part);
  readStream(table, { ...fourth, left: d }, out, 3 * part + at, size);
}

/** Reads as many symbols as fill `out` from `from` to `to`; the stream must end with them. */
function readStream(
  table: HuffmanTable,
  { view, base, left: total }: BackwardBits,
  out: Uint8Array,
  from: number,
  to: number,
): void {
  let left = total;
  let at = from;
  for (; at < to - 1 && left > 0; at += 2) {
    const both = pair(table, nextWord(view, base, left));
    out[at] = both;
    out[at + 1] = both >> 8;
    left -= both >> 16;
  }
  if (at === to - 1 && left > 0) {
    const code = table.codes[nextWord(view, base, left) >>> (32 - table.width)] ?? 0;
    out[at++] = code >> 8;
    left -= code & 0xff;
  }
  if (at !== to || left !== 0) throw new RangeError("a zstd stream of literals has another end");
}

/** The two symbols that a word begins with: bits 0-7 the first, 8-15 the second, 16-23 how long their codes are. */
function pair({ codes, width }: HuffmanTable, word: number): number {
  const first = codes[word >>> (32 - width)] ?? 0;
  const second = codes[(word << (first & 0xff)) >>> (32 - width)] ?? 0;
  return (first >> 8) | (second & 0xff00) | (((first + second) & 0xff) << 16);
}

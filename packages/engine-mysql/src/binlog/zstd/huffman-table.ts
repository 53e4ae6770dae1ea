import type { Cursor } from "../cursor.ts";
import { backwardBits, nextBits, type BackwardBits } from "./backward-bits.ts";
import { readFseTable, type FseTable } from "./fse-table.ts";

/*
 * A tree's description (RFC 8878, 4.2.1): Int8 head; from 128 on head - 127 weights of 4 bits, the higher ones of a
 * byte first; else as many bytes as it says: an FSE table, and weights in two streams that take turns. The last
 * symbol's weight is not there: it is what makes the sum of 2 ** (weight - 1) a power of two.
 */
const DIRECT = 128;
const MAX_WEIGHTS = 255;
/** How long a symbol's code may be (4.2.1). */
const MAX_CODE_BITS = 11;
const WEIGHTS = { maxAccuracy: 6, maxSymbol: MAX_CODE_BITS };

export interface HuffmanTable {
  /** How long the longest code is; a word's first so many bits are an index of `codes`. */
  readonly width: number;
  /** Bits 0-7 how long the code is, 8-15 its symbol. */
  readonly codes: Uint16Array;
}

export function readHuffmanTable(cursor: Cursor): HuffmanTable {
  const head = cursor.uint8();
  return huffmanTable(head >= DIRECT ? directWeights(cursor, head - DIRECT + 1) : fseWeights(cursor, head));
}

function directWeights(cursor: Cursor, count: number): number[] {
  const weights: number[] = [];
  while (weights.length < count) {
    const byte = cursor.uint8();
    weights.push(byte >> 4, byte & 15);
  }
  weights.length = count;
  return weights;
}

function fseWeights(cursor: Cursor, size: number): number[] {
  const end = cursor.take(size) + size;
  cursor.at -= size;
  const table = readFseTable(cursor, WEIGHTS);
  // The table may go on behind the end; then nothing is left of the streams.
  const streams = backwardBits(cursor.view, cursor.at, end);
  cursor.at = end;
  return alternating(streams, table);
}

/** Two states take turns until one would need more bits than there are; the other's symbol is the last. */
function alternating({ view, base, left: total }: BackwardBits, table: FseTable): number[] {
  const { accuracy, states } = table;
  const weights: number[] = [];
  let left = total;
  let entry = states[nextBits(view, base, left, accuracy)] ?? 0;
  left -= accuracy;
  let other = states[nextBits(view, base, left, accuracy)] ?? 0;
  left -= accuracy;
  if (left < 0) throw new RangeError("a zstd tree has no weights");
  while (weights.length < MAX_WEIGHTS - 1) {
    weights.push(entry & 0xff);
    const width = (entry >> 8) & 0xff;
    if (left < width) {
      weights.push(other & 0xff);
      return weights;
    }
    const next = states[(entry >> 16) + nextBits(view, base, left, width)] ?? 0;
    left -= width;
    entry = other;
    other = next;
  }
  throw new RangeError("a zstd tree of too many weights");
}

function huffmanTable(weights: number[]): HuffmanTable {
  const sizes = weights.map((weight) => (1 << weight) >> 1);
  const sum = sizes.reduce((all, size) => all + size, 0);
  const width = 32 - Math.clz32(sum);
  const last = (1 << width) - sum;
  const isTree = sum > 0 && width <= MAX_CODE_BITS && (last & (last - 1)) === 0;
  if (!isTree) throw new RangeError("a zstd tree with weights that make none");
  weights.push(32 - Math.clz32(last));
  sizes.push(last);
  if (!weights.includes(1)) throw new RangeError("a zstd tree without a longest code");
  const codes = new Uint16Array(1 << width);
  let at = 0;
  for (let weight = 1; weight <= width; weight++)
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      const end = at + (sizes[symbol] ?? 0);
      codes.fill((symbol << 8) | (width + 1 - weight), at, end);
      at = end;
    }
  return { width, codes };
}

import type { Cursor } from "../cursor.ts";
import { backwardBits, MAX_BITS, nextBits, type BackwardBits } from "./backward-bits.ts";
import { readFseTable, repeatedSymbol, type FseTable } from "./fse-table.ts";
import {
  LITERAL_LENGTH_BASES,
  LITERAL_LENGTH_WIDTHS,
  LITERAL_LENGTHS,
  MATCH_LENGTH_BASES,
  MATCH_LENGTH_WIDTHS,
  MATCH_LENGTHS,
  MIN_MATCH,
  OFFSETS,
  type SequenceCodes,
} from "./sequence-codes.ts";

/*
 * The sequences' section (RFC 8878, 3.1.1.3.2): how many, in 1 to 3 bytes; none: that is all. Else Int8 modes: bits
 * 6-7 of literals' lengths, 4-5 of offsets, 2-3 of matches' lengths, others 0; the three tables, by their modes; and
 * to the end a stream, backward: the three first states; of each sequence what its codes leave open, of offset,
 * match and literals, and then, but for the last, what leads to the next states of literals, match and offset.
 */
const PREDEFINED = 0;
const REPEATED_SYMBOL = 1;
const DESCRIBED = 2;
const MANY = 0x7f00;
/** An offset's code is how many bits it has; of the largest window, 26. */
const MAX_OFFSET_CODE = 26;
/** Numbers of a sequence. */
export const SEQUENCE_SIZE = 3;

/** The sequences of one block after the other, until the next are read. */
export class Sequences {
  count = 0;
  /** Of each: length of its literals, length of its match, offset as it is coded. */
  values: Int32Array = new Int32Array(0);
  #literalLengths: FseTable | null = null;
  #offsets: FseTable | null = null;
  #matchLengths: FseTable | null = null;

  /** Reads the section to the cursor's end; more than make `maxBytes` are refused. */
  read(cursor: Cursor, maxBytes: number): void {
    this.count = readCount(cursor);
    if (this.count === 0) {
      cursor.expectEnd();
      return;
    }
    if (this.count * MIN_MATCH > maxBytes) throw new RangeError("a zstd block of too many sequences");
    if (this.values.length < this.count * SEQUENCE_SIZE)
      this.values = new Int32Array(this.count * SEQUENCE_SIZE);
    const modes = cursor.uint8();
    if ((modes & 3) !== 0) throw new RangeError("zstd sequences of no known form");
    this.#literalLengths = readTable(cursor, modes >> 6, LITERAL_LENGTHS, this.#literalLengths);
    this.#offsets = readTable(cursor, (modes >> 4) & 3, OFFSETS, this.#offsets);
    this.#matchLengths = readTable(cursor, (modes >> 2) & 3, MATCH_LENGTHS, this.#matchLengths);
    const bits = backwardBits(cursor.view, cursor.at, cursor.end);
    readStream(bits, [this.#literalLengths, this.#offsets, this.#matchLengths], this.values, this.count);
  }
}

function readCount(cursor: Cursor): number {
  const first = cursor.uint8();
  if (first < 0x80) return first;
  if (first < 0xff) return ((first - 0x80) << 8) | cursor.uint8();
  return cursor.uint16() + MANY;
}

function readTable(cursor: Cursor, mode: number, codes: SequenceCodes, last: FseTable | null): FseTable {
  if (mode === PREDEFINED) return codes.predefined;
  if (mode === DESCRIBED) return readFseTable(cursor, codes);
  if (mode === REPEATED_SYMBOL) {
    const symbol = cursor.uint8();
    if (symbol > codes.maxSymbol) throw new RangeError("a zstd table of more symbols than there are");
    return repeatedSymbol(symbol);
  }
  if (last === null) throw new RangeError("zstd sequences by a table that was not there");
  return last;
}

function readStream(
  { view, base, left: total }: BackwardBits,
  [literals, offsets, matches]: readonly [FseTable, FseTable, FseTable],
  values: Int32Array,
  count: number,
): void {
  let left = total;
  let literal = literals.states[nextBits(view, base, left, literals.accuracy)] ?? 0;
  left -= literals.accuracy;
  let offset = offsets.states[nextBits(view, base, left, offsets.accuracy)] ?? 0;
  left -= offsets.accuracy;
  let match = matches.states[nextBits(view, base, left, matches.accuracy)] ?? 0;
  left -= matches.accuracy;
  const end = count * SEQUENCE_SIZE;
  for (let at = 0; left >= 0;) {
    const offsetCode = offset & 0xff;
    if (offsetCode > MAX_OFFSET_CODE) throw new RangeError("a zstd offset beyond all windows");
    values[at + 2] = (1 << offsetCode) + offsetBits(view, base, left, offsetCode);
    left -= offsetCode;
    const matchCode = match & 0xff;
    const matchWidth = MATCH_LENGTH_WIDTHS[matchCode] ?? 0;
    values[at + 1] = (MATCH_LENGTH_BASES[matchCode] ?? 0) + nextBits(view, base, left, matchWidth);
    left -= matchWidth;
    const literalCode = literal & 0xff;
    const literalWidth = LITERAL_LENGTH_WIDTHS[literalCode] ?? 0;
    values[at] = (LITERAL_LENGTH_BASES[literalCode] ?? 0) + nextBits(view, base, left, literalWidth);
    left -= literalWidth;
    at += SEQUENCE_SIZE;
    if (at === end) break;
    const literalMore = (literal >> 8) & 0xff;
    literal = literals.states[(literal >> 16) + nextBits(view, base, left, literalMore)] ?? 0;
    left -= literalMore;
    const matchMore = (match >> 8) & 0xff;
    match = matches.states[(match >> 16) + nextBits(view, base, left, matchMore)] ?? 0;
    left -= matchMore;
    const offsetMore = (offset >> 8) & 0xff;
    offset = offsets.states[(offset >> 16) + nextBits(view, base, left, offsetMore)] ?? 0;
    left -= offsetMore;
  }
  if (left !== 0) throw new RangeError("a zstd stream of sequences has another end");
}

function offsetBits(view: DataView, base: number, left: number, width: number): number {
  if (width <= MAX_BITS) return nextBits(view, base, left, width);
  const rest = width - MAX_BITS;
  return (nextBits(view, base, left, MAX_BITS) << rest) | nextBits(view, base, left - MAX_BITS, rest);
}

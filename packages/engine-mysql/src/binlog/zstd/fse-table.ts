import type { Cursor } from "../cursor.ts";

/*
 * A table's description (RFC 8878, 4.1.1), bits from the lowest of the first byte on: 4 bits accuracy less 5, then
 * for one symbol after the other its probability plus 1, in as many bits as what is left of 2 ** accuracy needs
 * (one fewer for small values); -1 is "less than 1". After a 0 comes how many more are 0: 2 bits, again after 3.
 */
const MIN_ACCURACY = 5;

/**
 * A state is an index of `states`; what it holds: bits 0-7 its symbol, 8-15 how many bits are read for the next
 * state, above those what they are added to.
 */
export interface FseTable {
  readonly accuracy: number;
  readonly states: Int32Array;
}

export interface FseLimits {
  readonly maxAccuracy: number;
  readonly maxSymbol: number;
}

export function readFseTable(cursor: Cursor, { maxAccuracy, maxSymbol }: FseLimits): FseTable {
  const bits = new ForwardBits(cursor);
  const accuracy = bits.read(4) + MIN_ACCURACY;
  if (accuracy > maxAccuracy) throw new RangeError(`a zstd table of accuracy ${accuracy}`);
  const probabilities = new Int16Array(maxSymbol + 1);
  let left = 1 << accuracy;
  for (let symbol = 0; left > 0; symbol++) {
    if (symbol > maxSymbol) throw new RangeError("a zstd table of more symbols than there are");
    const probability = readProbability(bits, left);
    probabilities[symbol] = probability;
    left -= Math.abs(probability);
    if (probability === 0) symbol += readZeros(bits);
  }
  return fseTable(probabilities, accuracy);
}

function readProbability(bits: ForwardBits, left: number): number {
  const width = 31 - Math.clz32(left + 1);
  const half = 1 << width;
  const short = 2 * half - 2 - left;
  const low = bits.read(width);
  if (low < short) return low - 1;
  return bits.read(1) === 0 ? low - 1 : low + half - short - 1;
}

function readZeros(bits: ForwardBits): number {
  for (let zeros = 0; ;) {
    const more = bits.read(2);
    zeros += more;
    if (more < 3) return zeros;
  }
}

/** The table of a distribution, whose probabilities make 2 ** accuracy. */
export function fseTable(probabilities: ArrayLike<number>, accuracy: number): FseTable {
  const size = 1 << accuracy;
  const states = new Int32Array(size);
  const next = new Uint16Array(probabilities.length);
  spread(probabilities, states, next);
  for (let state = 0; state < size; state++) {
    const symbol = states[state] ?? 0;
    const count = next[symbol] ?? 0;
    next[symbol] = count + 1;
    const width = accuracy - 31 + Math.clz32(count);
    states[state] = (((count << width) - size) << 16) | (width << 8) | symbol;
  }
  return { accuracy, states };
}

/** Symbols of "less than 1" at the end, the others all over what is left. */
function spread(probabilities: ArrayLike<number>, states: Int32Array, next: Uint16Array): void {
  const size = states.length;
  let end = size;
  for (let symbol = 0; symbol < probabilities.length; symbol++) {
    const probability = probabilities[symbol] ?? 0;
    next[symbol] = Math.abs(probability);
    if (probability === -1) states[--end] = symbol;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (let symbol = 0; symbol < probabilities.length; symbol++)
    for (let count = probabilities[symbol] ?? 0; count > 0; count--) {
      states[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at >= end);
    }
}

/** A table of one state, which every symbol is. */
export function repeatedSymbol(symbol: number): FseTable {
  return { accuracy: 0, states: new Int32Array([symbol]) };
}

/** Takes of its bytes no more than it needs. */
class ForwardBits {
  readonly #cursor: Cursor;
  #held = 0;
  #count = 0;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  read(width: number): number {
    while (this.#count < width) {
      this.#held |= this.#cursor.uint8() << this.#count;
      this.#count += 8;
    }
    const value = this.#held & ((1 << width) - 1);
    this.#held >>>= width;
    this.#count -= width;
    return value;
  }
}

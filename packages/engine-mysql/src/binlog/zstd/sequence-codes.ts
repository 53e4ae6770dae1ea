import { fseTable, type FseTable } from "./fse-table.ts";

/** One of the three parts of a sequence, as codes (RFC 8878, 3.1.1.3.2.1). */
export interface SequenceCodes {
  readonly maxAccuracy: number;
  readonly maxSymbol: number;
  /** The table of mode 0. */
  readonly predefined: FseTable;
}

/** A match is at least so long. */
export const MIN_MATCH = 3;

/** What a code stands for: `bases` plus the value of the `widths` bits that follow. */
export const LITERAL_LENGTH_WIDTHS: Uint8Array = widths(16, [1, 1, 1, 1, 2, 2, 3, 3, 4], 6, 16);
export const LITERAL_LENGTH_BASES: Int32Array = bases(0, LITERAL_LENGTH_WIDTHS);
export const MATCH_LENGTH_WIDTHS: Uint8Array = widths(32, [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5], 7, 16);
export const MATCH_LENGTH_BASES: Int32Array = bases(MIN_MATCH, MATCH_LENGTH_WIDTHS);

export const LITERAL_LENGTHS: SequenceCodes = {
  maxAccuracy: 9,
  maxSymbol: 35,
  predefined: fseTable(
    [
      4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1,
      -1, -1,
    ],
    6,
  ),
};
export const OFFSETS: SequenceCodes = {
  maxAccuracy: 8,
  maxSymbol: 31,
  predefined: fseTable(
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    5,
  ),
};
export const MATCH_LENGTHS: SequenceCodes = {
  maxAccuracy: 9,
  maxSymbol: 52,
  predefined: fseTable(
    [
      1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    6,
  ),
};

/** `zeros` codes of no bits, those of `irregular`, then one of each width. */
function widths(zeros: number, irregular: readonly number[], from: number, to: number): Uint8Array {
  const regular = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  return Uint8Array.from([...Array.from({ length: zeros }, () => 0), ...irregular, ...regular]);
}

/** Each code begins where the one before ends. */
function bases(first: number, of: Uint8Array): Int32Array {
  const from = new Int32Array(of.length);
  let base = first;
  for (const [code, width] of of.entries()) {
    from[code] = base;
    base += 1 << width;
  }
  return from;
}

/** More are not in a word at once. */
export const MAX_BITS = 24;

/**
 * A stream of bits that is read from its end (RFC 8878, 4.1): above its first bit, in the last byte, stands a 1,
 * and zeros above that. `left` is how many are left: bit `left - 1` is the next.
 */
export interface BackwardBits {
  readonly view: DataView;
  /** Where the word that ends in the stream's first byte begins; may be before the view. */
  readonly base: number;
  readonly left: number;
}

export function backwardBits(view: DataView, start: number, end: number): BackwardBits {
  if (start >= end) throw new RangeError("a zstd bitstream is empty");
  const last = view.getUint8(end - 1);
  if (last === 0) throw new RangeError("a zstd bitstream has no end");
  return { view, base: start - 3, left: (end - start) * 8 - 1 - Math.clz32(last << 24) };
}

/** The word that begins with the next bit; its 24 highest bits are the stream's. */
export function nextWord(view: DataView, base: number, left: number): number {
  return view.getInt32(base + (left >> 3), true) << (8 - (left & 7));
}

/** The next bits, up to `MAX_BITS`, and none of those that `left` does not count. */
export function nextBits(view: DataView, base: number, left: number, width: number): number {
  return (nextWord(view, base, left) >>> 1) >>> (31 - width);
}

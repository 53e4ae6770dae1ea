/** A point in a topic of the event log: 0 is the first record ever appended. Replicas acknowledge offsets. */
export type Offset = bigint & { readonly [offsetBrand]: true };

/** The one way to make an offset. Throws a `RangeError` for anything that is not a whole number ≥ 0. */
export function offset(value: bigint | number | string): Offset {
  const whole = BigInt(value);
  if (!isOffset(whole)) throw new RangeError(`offset ${whole} is below 0`);
  return whole;
}

/** The offset right behind `value`. */
export function nextOffset(value: Offset): Offset {
  return offset(value + 1n);
}

function isOffset(value: bigint): value is Offset {
  return value >= 0n;
}

declare const offsetBrand: unique symbol;

import { fixed, type ColumnReader } from "./column-reader.ts";
import type { Cursor } from "./cursor.ts";

/*
 * DECIMAL(precision, scale), big-endian: the digits before and behind the point in groups of nine, 4 bytes a
 * group; what does not fill a group comes first before the point and last behind it, in the fewest bytes that
 * hold so many digits. The highest bit is set where the value is not negative; if it is negative, every bit
 * is turned.
 */
const DIGITS_IN_GROUP = 9;
const BYTES_OF_DIGITS: readonly number[] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const MAX_PRECISION = 65;

export function decimal(precision: number, scale: number): ColumnReader {
  const layout = layoutOf(precision, scale);
  return fixed(layout.bytes, (cursor, at) => decimalText(cursor, at, layout));
}

export interface DecimalLayout {
  readonly bytes: number;
  /** Bytes of the first group before the point, and how many whole groups follow. */
  readonly leadBytes: number;
  readonly groups: number;
  readonly fractionGroups: number;
  readonly tailBytes: number;
  readonly tailDigits: number;
  readonly scale: number;
}

/** Refuses with a `RangeError` what no server declares. */
export function layoutOf(precision: number, scale: number): DecimalLayout {
  if (precision < 1 || precision > MAX_PRECISION || scale > precision)
    throw new RangeError(`decimal(${precision},${scale})`);
  const whole = precision - scale;
  const groups = Math.floor(whole / DIGITS_IN_GROUP);
  const fractionGroups = Math.floor(scale / DIGITS_IN_GROUP);
  const leadBytes = BYTES_OF_DIGITS[whole % DIGITS_IN_GROUP] ?? 0;
  const tailDigits = scale % DIGITS_IN_GROUP;
  const tailBytes = BYTES_OF_DIGITS[tailDigits] ?? 0;
  const bytes = leadBytes + (groups + fractionGroups) * 4 + tailBytes;
  return { bytes, leadBytes, groups, fractionGroups, tailBytes, tailDigits, scale };
}

/** The `layout.bytes` bytes from `start` on are there. */
export function decimalText({ view }: Cursor, start: number, layout: DecimalLayout): string {
  let at = start;
  const isNegative = view.getUint8(at) < 0x80;
  const flip = isNegative ? 0xff : 0;
  let sign = 0x80; // Of the first byte only.
  const group = (bytes: number): number => {
    let value = 0;
    for (let left = bytes; left > 0; left--) {
      value = value * 256 + (view.getUint8(at++) ^ flip ^ sign);
      sign = 0;
    }
    return value;
  };
  let text = "";
  if (layout.leadBytes > 0) text = digitsOf(group(layout.leadBytes));
  for (let left = layout.groups; left > 0; left--) {
    const value = group(4);
    text = text === "" ? digitsOf(value) : text + padded(value, DIGITS_IN_GROUP);
  }
  if (text === "") text = "0";
  if (layout.scale > 0) {
    text += ".";
    for (let left = layout.fractionGroups; left > 0; left--) text += padded(group(4), DIGITS_IN_GROUP);
    if (layout.tailBytes > 0) text += padded(group(layout.tailBytes), layout.tailDigits);
  }
  return isNegative ? `-${text}` : text;
}

/** Nothing for zero: it may only be a leading one. */
function digitsOf(value: number): string {
  return value === 0 ? "" : String(value);
}

/** Bytes that hold more digits than they may are not a decimal. */
function padded(value: number, digits: number): string {
  const text = String(value);
  if (text.length === digits) return text;
  if (text.length > digits) throw new RangeError("a decimal's digits do not fit their place");
  return "000000000".slice(0, digits - text.length) + text;
}

import { fixed, type ColumnReader } from "./column-reader.ts";

/*
 * FLOAT 4 and DOUBLE 8 bytes, IEEE 754, little-endian. The text is the shortest that reads back as the same
 * bits, written as PostgreSQL writes it: with an exponent below 1e-4 and from 1e6 (float32) or 1e15 on.
 */
const SMALLEST_PLAIN = 1e-4;
const FLOAT32_PLAIN = 1e6;
/** Beyond half of the way to the next float, that half makes it the next. */
const JUST_MORE = 1 + 2 ** -20;
/** More than a float32 has before its zeros, where it is just between two short decimals. */
const MANY_DIGITS = 40;
/** Below it a float32 has fewer digits. */
const SMALLEST_NORMAL = 2 ** -126;
const FLOAT64_PLAIN = 1e15;

export function float(): ColumnReader {
  return fixed(4, ({ view }, at) => float32Text(view.getFloat32(at, true)));
}

export function double(): ColumnReader {
  return fixed(8, ({ view }, at) => float64Text(view.getFloat64(at, true)));
}

export function float64Text(value: number): string {
  const size = Math.abs(value);
  if (size >= SMALLEST_PLAIN && size < FLOAT64_PLAIN) return String(value);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  return withExponent(value);
}

/** `value` is exactly a float32. */
export function float32Text(value: number): string {
  const size = Math.abs(value);
  if (size < FLOAT32_PLAIN && Number.isInteger(value)) return Object.is(value, -0) ? "-0" : String(value);
  const shortest = shortestFloat32(value);
  return size >= SMALLEST_PLAIN && size < FLOAT32_PLAIN ? String(shortest) : withExponent(shortest);
}

/**
 * The float64 whose shortest text is the shortest of the float32, and of those the nearest; of two as near the one
 * with an even last digit; never one that lies just between two floats. So PostgreSQL writes it, too.
 */
function shortestFloat32(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = Math.abs(value) < SMALLEST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const nearest = Number(value.toPrecision(digits));
    if (isWithin(nearest, value)) return isTie(value, digits) ? evenOf(nearest, value, digits) : nearest;
    const above = nextTo(nearest, digits, 1);
    if (isWithin(above, value)) return above; // At a power of two the interval reaches further up.
  }
  return Number(value.toPrecision(9));
}

/** Whether it reads back as the float wherever ties are rounded to. */
function isWithin(candidate: number, value: number): boolean {
  if (Math.fround(candidate) !== value) return false;
  if (candidate === value) return true;
  return Math.fround(value + (candidate - value) * JUST_MORE) === value;
}

/** Whether the float lies just between two decimals of so many digits. */
function isTie(value: number, digits: number): boolean {
  if (!/5(?:e.*)?$/.test(value.toPrecision(digits + 1))) return false;
  return /^0*$/.test(
    value
      .toExponential(MANY_DIGITS)
      .split("e")[0]
      ?.replace(".", "")
      .replace("-", "")
      .slice(digits + 1) ?? "",
  );
}

/** Of the two decimals around a tie; `upper` is the one further from zero. */
function evenOf(upper: number, value: number, digits: number): number {
  const [mantissa = ""] = upper.toExponential(digits - 1).split("e");
  if (Number(mantissa.at(-1)) % 2 === 0) return upper;
  const lower = nextTo(upper, digits, -1);
  return isWithin(lower, value) ? lower : upper;
}

/** So many units in the last of so many digits further from zero. */
function nextTo(value: number, digits: number, units: number): number {
  const [mantissa = "", exponent = ""] = value.toExponential(digits - 1).split("e");
  const sign = value < 0 ? -1 : 1;
  return Number(`${Number(mantissa.replace(".", "")) + sign * units}e${Number(exponent) - digits + 1}`);
}

/** At least two digits of exponent: `1e+20`. */
function withExponent(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  const text = value.toExponential();
  const at = text.length - 2;
  const isOneDigit = text[at] === "+" || text[at] === "-";
  return isOneDigit ? `${text.slice(0, at + 1)}0${text.slice(at + 1)}` : text;
}

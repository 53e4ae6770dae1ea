import { fixed, type ColumnReader } from "./column-reader.ts";
import type { Cursor } from "./cursor.ts";

/*
 * DATE        3 bytes, little-endian: day 5 bits, month 4, year 15.
 * DATETIME2   5 bytes, big-endian, plus 2^39: year * 13 + month 17 bits, day 5, hour 5, minute 6, second 6; fraction.
 * TIMESTAMP2  4 bytes, big-endian, unsigned: seconds since 1970-01-01 UTC; fraction.
 * TIME2       3 bytes, big-endian: hour 10 bits, minute 6, second 6; fraction. Both together plus 2^23 (and
 *             the fraction's width), so that a negative time is a negative number.
 * fraction    big-endian, 1 byte of hundredths for 1 or 2 digits, 2 for 3 or 4, 3 for 5 or 6.
 */
const DATETIME_OFFSET = 0x80_0000_0000;
const TIME_OFFSET = 0x80_0000;
const MAX_FRACTION_DIGITS = 6;
const SECONDS_A_DAY = 86_400;

const TWO_DIGITS: readonly string[] = Array.from({ length: 100 }, (_, number) =>
  String(number).padStart(2, "0"),
);

export function date(): ColumnReader {
  return fixed(3, ({ view }, at) => {
    const value = view.getUint16(at, true) + view.getUint8(at + 2) * 65_536;
    return dateText(value >> 9, (value >> 5) & 15, value & 31);
  });
}

export function datetime(digits: number): ColumnReader {
  const fraction = fractionOf(digits);
  return fixed(5 + fraction.bytes, (cursor, at) => {
    const { view } = cursor;
    const packed = view.getUint8(at) * 4_294_967_296 + view.getUint32(at + 1) - DATETIME_OFFSET;
    if (packed < 0) throw new RangeError("a negative datetime");
    return datetimeText(packed) + fraction.text(cursor, at + 5);
  });
}

/** In UTC; the zero timestamp has no zone. */
export function timestamp(digits: number): ColumnReader {
  const fraction = fractionOf(digits);
  let lastDay = -1;
  let lastText = "";
  return fixed(4 + fraction.bytes, (cursor, at) => {
    const seconds = cursor.view.getUint32(at);
    const behind = fraction.text(cursor, at + 4);
    if (seconds === 0 && isZero(behind)) return `0000-00-00 00:00:00${behind}`;
    const day = Math.floor(seconds / SECONDS_A_DAY);
    if (day !== lastDay) {
      lastDay = day;
      lastText = new Date(day * SECONDS_A_DAY * 1000).toISOString().slice(0, 10);
    }
    const ofDay = seconds - day * SECONDS_A_DAY;
    const minutes = Math.floor(ofDay / 60);
    return `${lastText} ${clockText(Math.floor(minutes / 60), minutes % 60, ofDay % 60)}${behind}+00`;
  });
}

export function time(digits: number): ColumnReader {
  const fraction = fractionOf(digits);
  const scale = 256 ** fraction.bytes;
  return fixed(3 + fraction.bytes, ({ view }, at) => {
    let packed = 0;
    for (let index = 0; index < 3 + fraction.bytes; index++)
      packed = packed * 256 + view.getUint8(at + index);
    packed -= TIME_OFFSET * scale;
    const size = Math.abs(packed);
    const clock = Math.floor(size / scale);
    const text = clockText((clock >> 12) & 0x3ff, (clock >> 6) & 63, clock & 63);
    return (packed < 0 ? "-" : "") + text + fraction.textOf(size % scale);
  });
}

/** MariaDB has the first second of 1970, from its first fraction on. */
function isZero(fraction: string): boolean {
  return /^[.0]*$/.test(fraction);
}

/** `packed` as in DATETIME2, without its offset. */
export function datetimeText(packed: number): string {
  const days = Math.floor(packed / 131_072);
  const clock = packed % 131_072;
  const months = days >> 5;
  const day = dateText(Math.floor(months / 13), months % 13, days & 31);
  return `${day} ${clockText(clock >> 12, (clock >> 6) & 63, clock & 63)}`;
}

export function dateText(year: number, month: number, day: number): string {
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

/** Hours have at least two digits. */
export function clockText(hours: number, minutes: number, seconds: number): string {
  return `${hours < 100 ? two(hours) : String(hours)}:${two(minutes)}:${two(seconds)}`;
}

function yearText(year: number): string {
  return year >= 1000 ? String(year) : String(year).padStart(4, "0");
}

function two(number: number): string {
  return TWO_DIGITS[number] ?? String(number);
}

interface Fraction {
  readonly bytes: number;
  /** With its point; empty where the column has no digits. */
  text(cursor: Cursor, at: number): string;
  textOf(value: number): string;
}

function fractionOf(digits: number): Fraction {
  if (digits > MAX_FRACTION_DIGITS) throw new RangeError(`${digits} digits of a second`);
  const bytes = (digits + 1) >> 1;
  const textOf = (value: number): string => {
    if (digits === 0) return "";
    const text = String(value).padStart(bytes * 2, "0");
    if (text.length > bytes * 2) throw new RangeError("a second's fraction is above one");
    return `.${text.slice(0, digits)}`;
  };
  const text = ({ view }: Cursor, at: number): string => {
    if (bytes === 0) return "";
    let value = 0;
    for (let index = 0; index < bytes; index++) value = value * 256 + view.getUint8(at + index);
    return textOf(value);
  };
  return { bytes, text, textOf };
}

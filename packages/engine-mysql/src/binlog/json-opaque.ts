import type { Cursor } from "./cursor.ts";
import { decimalText, layoutOf } from "./decimal.ts";
import { clockText, datetimeText, dateText } from "./temporal.ts";

/*
 * What JSON of MySQL holds beyond JSON's own types, by the column type it came from:
 *
 *     DECIMAL   Int8 precision  Int8 scale  then as a column
 *     DATE, DATETIME, TIMESTAMP, TIME  Int64, little-endian: the column's number without its offset (see
 *               temporal.ts), times 2^24, plus microseconds; a negative time is negative as a whole
 */
const TIMESTAMP = 7;
const DATE = 10;
const TIME = 11;
const DATETIME = 12;
const NEWDECIMAL = 246;
const FRACTION = 0x100_0000;

/** As the server prints it. The cursor has just this value. */
export function opaqueText(columnType: number, cursor: Cursor): string {
  switch (columnType) {
    case NEWDECIMAL: {
      const layout = layoutOf(cursor.uint8(), cursor.uint8());
      const text = decimalText(cursor, cursor.take(layout.bytes), layout);
      cursor.expectEnd();
      return text;
    }
    case TIMESTAMP:
    case DATE:
    case DATETIME:
    case TIME:
      return `"${temporalText(columnType, cursor)}"`;
    default:
      return `"base64:type${columnType}:${cursor.slice(cursor.left).toString("base64")}"`;
  }
}

function temporalText(columnType: number, cursor: Cursor): string {
  const packed = BigInt.asIntN(64, cursor.uint64());
  cursor.expectEnd();
  const size = packed < 0n ? -packed : packed;
  const whole = Number(size / BigInt(FRACTION));
  const fraction = `.${String(size % BigInt(FRACTION)).padStart(6, "0")}`;
  if (columnType === TIME) {
    const text = clockText((whole >> 12) & 0x3ff, (whole >> 6) & 63, whole & 63) + fraction;
    return packed < 0n ? `-${text}` : text;
  }
  if (packed < 0n) throw new RangeError("a negative date in JSON");
  if (columnType !== DATE) return datetimeText(whole) + fraction;
  const days = Math.floor(whole / 131_072);
  return dateText(Math.floor((days >> 5) / 13), (days >> 5) % 13, days & 31);
}

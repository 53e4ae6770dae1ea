import { expect, test } from "vitest";
import { Cursor } from "./cursor.ts";
import { decimal } from "./decimal.ts";
import { time, timestamp } from "./temporal.ts";

function hex(bytes: string): Cursor {
  return new Cursor(Buffer.from(bytes, "hex"));
}

test.each([
  [14, 4, "810dfb38d204d2", "1234567890.1234"],
  [14, 4, "7ef204c72dfb2d", "-1234567890.1234"],
  [5, 2, "800000", "0.00"],
  [5, 2, "7ffffe", "-0.01"],
  [1, 0, "89", "9"],
])("decimal(%d,%d) %s is %s", (precision, scale, bytes, text) => {
  expect(decimal(precision, scale).read(hex(bytes))).toBe(text);
});

test("a decimal that ends too early, or whose digits do not fit, is refused", () => {
  expect(() => decimal(14, 4).read(hex("810dfb38d204"))).toThrow(RangeError);
  expect(() => decimal(5, 2).read(hex("8000ff"))).toThrow(RangeError);
  expect(() => decimal(66, 0)).toThrow(RangeError);
});

test("times below zero and timestamps beyond 2038", () => {
  expect(time(0).read(hex("7fffc0"))).toBe("-00:01:00");
  expect(time(2).read(hex("7fffffce"))).toBe("-00:00:00.50");
  expect(time(2).read(hex("7ffffece"))).toBe("-00:00:01.50");
  expect(timestamp(0).read(hex("ffffffff"))).toBe("2106-02-07 06:28:15+00");
  expect(timestamp(3).read(hex("000000000000"))).toBe("0000-00-00 00:00:00.000");
});

import { expect, test } from "vitest";
import { Cursor } from "./cursor.ts";
import { decimal } from "./decimal.ts";

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

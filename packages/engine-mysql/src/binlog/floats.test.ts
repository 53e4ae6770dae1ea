import fc from "fast-check";
import { expect, test } from "vitest";
import { float32Text, float64Text } from "./floats.ts";

test.each([
  [0, "0"],
  [-0, "-0"],
  [1, "1"],
  [0.1, "0.1"],
  [0.0001, "0.0001"],
  [0.00001, "1e-05"],
  [1e-7, "1e-07"],
  [999_999_999_999_999, "999999999999999"],
  [1e15, "1e+15"],
  [-1e20, "-1e+20"],
  [123_456_789_012_345_680, "1.2345678901234568e+17"],
  [5e-324, "5e-324"],
  [Number.MAX_VALUE, "1.7976931348623157e+308"],
  [Number.NaN, "NaN"],
  [-Infinity, "-Infinity"],
])("a double %d is %s", (value, text) => {
  expect(float64Text(value)).toBe(text);
});

test.each([
  [0.1, "0.1"],
  [-0, "-0"],
  [16_777_216, "1.6777216e+07"],
  [999_999, "999999"],
  [1e6, "1e+06"],
  [3.4028234663852886e38, "3.4028235e+38"],
  [1.401298464324817e-45, "1e-45"],
  [2 ** -96, "1.2621775e-29"],
  [1.17549435e-38, "1.1754944e-38"],
  [-1.5, "-1.5"],
  [0.00001, "1e-05"],
  [Infinity, "Infinity"],
  // Just between two decimals, and decimals just between two floats: as PostgreSQL 18 prints them.
  [2 ** -12, "0.00024414062"],
  [58_235.3125, "58235.312"],
  [-244_562.125, "-244562.12"],
  [-3_503_698.25, "-3.5036982e+06"],
  [50_331_648, "5.0331648e+07"],
  [100_663_296, "1.00663296e+08"],
  [201_326_592, "2.0132659e+08"],
])("a float %d is %s", (value, text) => {
  expect(float32Text(Math.fround(value))).toBe(text);
});

test("what is written reads back as the same float, and never takes more than nine digits", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => {
      const text = float32Text(value);
      expect(Object.is(Math.fround(Number(text)), value)).toBe(true);
      expect(
        Number(text)
          .toExponential()
          .replace(/e.*|[-.]/g, "").length,
      ).toBeLessThanOrEqual(9);
    }),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      expect(Object.is(Number(float64Text(value)), value)).toBe(true);
    }),
  );
});

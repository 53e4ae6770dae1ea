import fc from "fast-check";
import { expect, test } from "vitest";
import { comparePositions, halvesOf, isLsn, later, positionFromHalves } from "./position.ts";

const halves = fc.record({ high: fc.nat(0xffff_ffff), low: fc.nat(0xffff_ffff) });
const near = fc.tuple(halves, halves, fc.boolean()).map(([left, right, isSameHigh]) => ({
  left,
  right: isSameHigh ? { ...right, high: left.high } : right,
}));

test("positions compare as the 64-bit numbers they are", () => {
  fc.assert(
    fc.property(near, ({ left, right }) => {
      const number = ({ high, low }: { high: number; low: number }): bigint =>
        (BigInt(high) << 32n) + BigInt(low);
      const [one, other] = [
        positionFromHalves(left.high, left.low),
        positionFromHalves(right.high, right.low),
      ];
      const difference = number(left) - number(right);
      const order = difference < 0n ? "before" : difference > 0n ? "after" : "same";
      expect(comparePositions(one, other)).toBe(order);
      expect(later(one, other)).toBe(order === "before" ? other : one);
      expect(halvesOf(one)).toEqual(left);
      expect(isLsn(one)).toBe(true);
    }),
  );
});

test("nothing is before everything", () => {
  const some = positionFromHalves(0, 1);
  expect([later(null, some), later(some, null), later(null, null)]).toEqual([some, some, null]);
});

test.each(["", "0", "/", "0/", "0/G", "0/1 ", "-1/0", "0/123456789", "0/1/2", "0x1/2"])(
  "%j is no position",
  (text) => {
    expect(isLsn(text)).toBe(false);
  },
);

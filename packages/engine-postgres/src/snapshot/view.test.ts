import fc from "fast-check";
import { expect, test } from "vitest";
import { isVisible, parseView } from "./view.ts";

test("what ran, and what began later, is not contained", () => {
  const view = parseView("100:110:100,105");
  const visible = (xid: number): boolean => isVisible(view, String(xid));
  expect([99, 101, 104, 106, 109].filter((xid) => !visible(xid))).toEqual([]);
  expect([100, 105, 110, 111, 5_000].filter(visible)).toEqual([]);
});

test("a view that holds nothing back shows everything below xmax", () => {
  const view = parseView("726:726:");
  expect(isVisible(view, "725")).toBe(true);
  expect(isVisible(view, "726")).toBe(false); // It may be a commit that waits.
});

test("the low 32 bits are enough near a wrap-around, on both sides of it", () => {
  const epoch = 1n << 32n;
  const view = parseView(`${3n * epoch - 2n}:${3n * epoch + 3n}:${3n * epoch - 2n},${3n * epoch + 1n}`);
  expect(isVisible(view, String(epoch - 3n))).toBe(true);
  expect(isVisible(view, String(epoch - 2n))).toBe(false);
  expect(isVisible(view, String(epoch - 1n))).toBe(true);
  expect(isVisible(view, "0")).toBe(true);
  expect(isVisible(view, "1")).toBe(false);
  expect(isVisible(view, "2")).toBe(true);
  expect(isVisible(view, "3")).toBe(false);
});

test("agrees with a model of whole ids", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 3n, max: 1n << 40n }),
      fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 20 }),
      fc.integer({ min: -2_000, max: 2_000 }),
      (base, running, at) => {
        const ids = [...new Set(running)].sort((a, b) => a - b).map((id) => base + BigInt(id));
        const xmin = ids[0] ?? base + 500n;
        const xmax = base + 1_001n;
        const xid = base + BigInt(at);
        if (xid < 0n) return;
        const view = parseView(`${xmin}:${xmax}:${ids.join(",")}`);
        const expected = xid < xmax && !ids.includes(xid);
        expect(isVisible(view, String(xid % (1n << 32n)))).toBe(expected);
      },
    ),
  );
});

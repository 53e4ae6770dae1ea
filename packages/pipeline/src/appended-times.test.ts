import { expect, test } from "vitest";
import { offset } from "@lockstep/core";
import { AppendedTimes } from "./appended-times.ts";

function times(count: number): AppendedTimes {
  const appended = new AppendedTimes();
  appended.begin(offset(0));
  for (let at = 1; at <= count; at++) {
    appended.add({ offset: offset(at * 2), committedAtUs: at * 1_000, appendedMs: at });
  }
  return appended;
}

test("the oldest commit behind an offset", () => {
  const appended = times(3);
  expect(appended.oldestBehind(offset(0))).toBe(1_000);
  expect(appended.oldestBehind(offset(1))).toBe(1_000);
  expect(appended.oldestBehind(offset(2))).toBe(2_000);
  expect(appended.oldestBehind(offset(5))).toBe(3_000);
  expect(appended.oldestBehind(offset(6))).toBeNull();
});

test("of what was appended before nothing is known", () => {
  const appended = new AppendedTimes();
  expect(appended.oldestBehind(offset(4))).toBeNull();
  appended.begin(offset(5));
  appended.add({ offset: offset(6), committedAtUs: 1, appendedMs: 1 });
  expect(appended.oldestBehind(offset(4))).toBeNull();
  expect(appended.oldestBehind(offset(5))).toBe(1);
});

test("when a record was appended", () => {
  const appended = times(3);
  expect([2, 3, 4, 6, 7].map((at) => appended.appendedMs(offset(at)))).toEqual([1, null, 2, 3, null]);
});

test("of very many the older ones are told less finely, and never as younger than they are", () => {
  const appended = times(100_000);
  for (const at of [1, 50, 49_999, 99_990, 99_999]) {
    const told = appended.oldestBehind(offset(at * 2)) ?? Infinity;
    expect(told).toBeLessThanOrEqual((at + 1) * 1_000);
    // Nearer to the end it is told exactly.
    if (at > 99_000) expect(told).toBe((at + 1) * 1_000);
  }
  expect(appended.oldestBehind(offset(200_000))).toBeNull();
});

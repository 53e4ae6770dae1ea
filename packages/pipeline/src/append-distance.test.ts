import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AppendDistance } from "./append-distance.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** A quarter of a second of appends, each a millisecond after the one before. */
function appendEach(distance: AppendDistance, transactions: (at: number) => number): void {
  for (let at = 0; at < 250; at++) {
    vi.advanceTimersByTime(1);
    distance.begin(transactions(at));
  }
}

test("a thousand transactions a second are appended as they come, in bursts or not", () => {
  const distance = new AppendDistance();
  appendEach(distance, () => 1);
  expect(distance.leftMs(false)).toBe(0);
  appendEach(distance, (at) => (at % 4 === 0 ? 4 : 0));
  expect(distance.leftMs(false)).toBe(0);
});

test("four thousand are appended together, sooner where somebody waits", () => {
  const distance = new AppendDistance();
  appendEach(distance, () => 4);
  expect([distance.leftMs(false), distance.leftMs(true)]).toEqual([5, 1]);
  vi.advanceTimersByTime(3);
  expect([distance.leftMs(false), distance.leftMs(true)]).toEqual([2, 0]);
  vi.advanceTimersByTime(2);
  expect(distance.leftMs(false)).toBe(0);
});

test("what comes after a pause is appended at once, and so is what comes next", () => {
  const distance = new AppendDistance();
  appendEach(distance, () => 4);
  vi.advanceTimersByTime(200);
  distance.begin(8);
  expect(distance.leftMs(false)).toBe(0);
});

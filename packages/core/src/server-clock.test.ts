import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ServerClock } from "./server-clock.ts";

const HOUR_US = 3_600_000_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** How far the clock is ahead of this machine's, in microseconds. */
function aheadOf(clock: ServerClock): number {
  return Math.round((clock.nowUs ?? NaN) - performance.now() * 1_000);
}

test("silent, it does not know", () => {
  expect(new ServerClock().nowUs).toBeNull();
});

test("a message that lay in a buffer does not set it back", () => {
  const clock = new ServerClock();
  clock.heard(HOUR_US + 1_000_000, 1_000);
  expect(aheadOf(clock)).toBe(HOUR_US);
  clock.heard(HOUR_US + 1_100_000, 5_000); // Sent at 1,100 ms, and read four seconds later.
  expect(aheadOf(clock)).toBe(HOUR_US);
  clock.heard(HOUR_US + 5_000_500, 5_000);
  expect(aheadOf(clock)).toBe(HOUR_US + 500);
});

test("a server whose clock is set back is believed after a while", () => {
  const clock = new ServerClock();
  clock.heard(HOUR_US, 0);
  for (let atMs = 0; atMs <= 900_000; atMs += 100_000) clock.heard(atMs * 1_000, atMs);
  expect(aheadOf(clock)).toBe(0);
});

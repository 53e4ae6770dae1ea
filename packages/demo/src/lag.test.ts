import { expect, test } from "vitest";
import { lagOf, samplesOutside, type Sample } from "./lag.ts";

function sample(committedMs: number, lagMs: number): Sample {
  return { committedMs, seenMs: committedMs + lagMs };
}

test("percentiles are lags that were measured, by nearest rank", () => {
  const samples = Array.from({ length: 200 }, (_, index) => sample(index, 200 - index));
  expect(lagOf(samples)).toEqual({ p50: 100, p99: 198 });
  expect(lagOf([sample(0, 1.26)])).toEqual({ p50: 1.3, p99: 1.3 });
  expect(lagOf([])).toEqual({ p50: null, p99: null });
});

test("what is shown before its commit was answered has no lag", () => {
  expect(lagOf([sample(10, -0.5)])).toEqual({ p50: 0, p99: 0 });
});

test("what was on its way in a stretch is left out, also from before it and until after", () => {
  const stretches = [{ fromMs: 100, untilMs: 200 }];
  const kept = [sample(90, 9), sample(201, 500)];
  const left = [sample(99, 1), sample(50, 500), sample(150, 10), sample(200, 300)];
  expect(samplesOutside([...kept, ...left], stretches)).toEqual(kept);
  expect(samplesOutside(kept, [{ fromMs: 0, untilMs: Infinity }])).toEqual([]);
});

import { expect, test } from "vitest";
import { DecayingMean } from "./decaying-mean.ts";

test("the mean of what came lately", () => {
  const mean = new DecayingMean();
  expect(mean.value).toBeNull();
  mean.add(10, 1_000);
  expect(mean.value).toBe(10);
  mean.add(20, 1_000);
  expect(mean.value).toBe(15);
  for (let at = 0; at < 600; at++) mean.add(2, 1_000 + at * 1_000);
  expect(mean.value).toBeCloseTo(2, 2);
  mean.add(100, 4_000_000); // After an hour: what came before counts no more.
  expect(mean.value).toBeCloseTo(100, 3);
});

import { expect, test } from "vitest";
import type { Measured } from "./scenarios/scenario.ts";
import { summary, type Taken } from "./summary.ts";

const OPTIONS = {
  scenario: "catch-up-small",
  engine: "postgres",
  log: "kafka",
  replicas: 1,
  runs: 3,
} as const;
const MACHINE = { cores: 2, node: "20.19.0", postgres: "18.4", kafka: "4.2.2" };

function taken(side: Taken["side"], seconds: number, measured: Partial<Measured> = {}): Taken {
  const rest = {
    cpuSeconds: 1,
    cpuParts: { primary: 1 },
    otherCpuSeconds: 0,
    load: 0,
    rows: 100,
    peakRssMb: 50,
    lagsMs: new Map(),
  };
  return { side, measured: { seconds, ...rest, ...measured } };
}

test("medians of each side, and above 1 where ours is faster", () => {
  const turns = [
    ...[2, 100, 4].map((seconds) => taken("ours", seconds)),
    ...[1, 8, 9].map((seconds) => taken("native", seconds)),
  ];
  expect(summary(OPTIONS, MACHINE, turns)).toMatchObject({
    ratio: 2,
    ours: { seconds: 4, rowsPerSecond: 25, p50Ms: null, p99Ms: null, peakRssMb: 50 },
    native: { seconds: 8, rowsPerSecond: 13 },
  });
});

test("of an even number of runs, between the middle two", () => {
  const turns = [taken("ours", 1), taken("ours", 3), taken("native", 1), taken("native", 1)];
  expect(summary(OPTIONS, MACHINE, turns)).toMatchObject({ ratio: 0.5, ours: { seconds: 2 } });
});

test("what one turn does not know, the median does not know", () => {
  const turns = [taken("ours", 1), taken("ours", 1, { cpuSeconds: null }), taken("native", 1)];
  expect(summary(OPTIONS, MACHINE, turns)).toMatchObject({
    ours: { cpuSeconds: null },
    native: { cpuSeconds: 1 },
  });
});

test("latencies are the medians of each turn's percentiles, and the ratio theirs at the highest rate", () => {
  const lags = (slow: number, fast: number): Partial<Measured> => ({
    lagsMs: new Map([
      [100, [slow, slow, slow * 2]],
      [1_000, [fast, fast, fast * 10]],
    ]),
  });
  const turns = [
    taken("ours", 10, lags(6, 4)),
    taken("ours", 10, lags(8, 2)),
    taken("ours", 10, lags(7, 3)),
    taken("native", 10, lags(1, 1.5)),
  ];
  expect(summary({ ...OPTIONS, scenario: "latency" }, MACHINE, turns)).toMatchObject({
    ratio: 0.5,
    ours: { p50Ms: 3, p99Ms: 30 },
    native: { p50Ms: 1.5, p99Ms: 15 },
    rates: [
      { transactionsPerSecond: 100, ours: { p50Ms: 7, p99Ms: 14 }, native: { p50Ms: 1, p99Ms: 2 } },
      { transactionsPerSecond: 1_000, ours: { p50Ms: 3, p99Ms: 30 }, native: { p50Ms: 1.5, p99Ms: 15 } },
    ],
  });
});

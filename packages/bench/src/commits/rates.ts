import { median, percentile, rounded } from "../medians.ts";
import type { Committed } from "./application.ts";

export interface Rate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The medians of the same stretch of several runs. */
export function rateOf(stretches: readonly Committed[]): Rate {
  const at = (share: number): number =>
    rounded(median(stretches.map(({ latenciesMs }) => percentile(latenciesMs, share))), 2);
  return {
    perSecond: Math.round(median(stretches.map(({ perSecond }) => perSecond))),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

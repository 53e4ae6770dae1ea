import { durabilityOf, type EngineName } from "./durability.ts";
import { median, medianOfKnown, percentile, rounded } from "./medians.ts";
import type { BenchResult, Machine, Percentiles, RateResult, SideName, SideResult } from "./result.ts";
import type { Measured, ScenarioName } from "./scenarios/scenario.ts";
import type { LogKind } from "./servers.ts";

export interface Taken {
  readonly side: SideName;
  readonly measured: Measured;
}

export interface Summarized {
  readonly scenario: ScenarioName;
  readonly engine: EngineName;
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
}

/** Medians over all turns of each side. */
export function summary(
  { scenario, engine, log, replicas, runs }: Summarized,
  machine: Machine,
  taken: readonly Taken[],
): BenchResult {
  const of = (name: SideName): Measured[] =>
    taken.filter(({ side }) => side === name).map(({ measured }) => measured);
  const [ours, native] = [of("ours"), of("native")];
  const rates = ratesOf(ours, native);
  const last = rates.at(-1);
  const ratio =
    last === undefined
      ? median(native.map(secondsOf)) / median(ours.map(secondsOf))
      : last.native.p50Ms / last.ours.p50Ms;
  return {
    scenario,
    engine,
    log,
    replicas,
    runs,
    ratio: rounded(ratio, 2),
    ours: {
      ...sideResult(ours, last?.ours),
      peakRssMb: medianOfKnown(ours.map(({ peakRssMb }) => peakRssMb)),
    },
    native: sideResult(native, last?.native),
    rows: Math.round(median(taken.map(({ measured }) => measured.rows))),
    ...(rates.length === 0 ? {} : { rates }),
    durability: durabilityOf(engine, log),
    machine,
    turns: taken.map(({ side, measured }) => ({
      side,
      seconds: rounded(measured.seconds, 3),
      cpuSeconds: roundedOrNull(measured.cpuSeconds),
      cpuParts: Object.fromEntries(
        Object.entries(measured.cpuParts).map(([name, part]) => [name, roundedOrNull(part)]),
      ),
      otherCpuSeconds: roundedOrNull(measured.otherCpuSeconds),
      load: rounded(measured.load, 2),
    })),
  };
}

function sideResult(turns: readonly Measured[], lag: Percentiles | undefined): SideResult {
  const cpuSeconds = medianOfKnown(turns.map((turn) => turn.cpuSeconds));
  return {
    seconds: rounded(median(turns.map(secondsOf)), 3),
    rowsPerSecond: Math.round(median(turns.map(({ rows, seconds }) => rows / seconds))),
    cpuSeconds: roundedOrNull(cpuSeconds),
    p50Ms: lag?.p50Ms ?? null,
    p99Ms: lag?.p99Ms ?? null,
  };
}

function ratesOf(ours: readonly Measured[], native: readonly Measured[]): RateResult[] {
  return [...(ours[0]?.lagsMs.keys() ?? [])].map((transactionsPerSecond) => ({
    transactionsPerSecond,
    ours: lagOf(ours, transactionsPerSecond),
    native: lagOf(native, transactionsPerSecond),
  }));
}

/** The medians of the turns' percentiles. */
function lagOf(turns: readonly Measured[], rate: number): Percentiles {
  const at = (share: number): number =>
    rounded(median(turns.map(({ lagsMs }) => percentile(lagsMs.get(rate) ?? [], share))), 2);
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value, 2);
}

function secondsOf({ seconds }: Measured): number {
  return seconds;
}

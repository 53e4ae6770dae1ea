import { durabilityOf } from "../durability.ts";
import { median, medianOfKnown, rounded } from "../medians.ts";
import type { BenchResult, Machine, SideResult } from "../result.ts";
import type { LogKind } from "../servers.ts";
import type { RunFigures, Stretch } from "./figures.ts";
import { rateOf, type Rate } from "./rates.ts";
import { isMissed, ratioOf, ROWS, type Row } from "./rows.ts";

/** What `--json` prints on its last line: medians over all runs; `ratio`, `ours` and `native` are the first row's. */
export interface CommitResult extends Omit<BenchResult, "scenario" | "rows" | "turns"> {
  readonly scenario: "commit";
  /** By the name of the row: ours by the other's, of commits a second, or of p50 where the row is about that. */
  readonly ratios: Readonly<Record<string, number>>;
  /** The rows that do not reach what they must. */
  readonly missed: readonly string[];
  readonly rows: readonly RowResult[];
}

interface RowResult {
  readonly name: string;
  readonly what: string;
  readonly ratio: number;
  readonly must: number;
  readonly aim: number;
  readonly ours: Rate;
  readonly other: Rate;
}

interface Summarized {
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
  readonly machine: Machine;
}

/** Unlike subscriptions as they come. */
const DURABLE_NATIVE = "subscriptions with synchronous_commit = on, fsync on";

export function commitSummary(
  { log, replicas, runs, machine }: Summarized,
  taken: readonly RunFigures[],
): CommitResult {
  const rows = ROWS.map((row) => rowResult(row, taken));
  const peaks = taken.flatMap(({ one, three }) => [one.ours.peakRssMb, three.ours.peakRssMb]);
  return {
    scenario: "commit",
    engine: "postgres",
    log,
    replicas,
    runs,
    ratio: rows[0]?.ratio ?? 0,
    ours: {
      ...sideResult(taken.map(({ one }) => one.ours.applied1)),
      peakRssMb: Math.max(...peaks.map((peak) => peak ?? 0)),
    },
    native: sideResult(taken.map(({ one }) => one.native.applied1)),
    ratios: Object.fromEntries(rows.map(({ name, ratio }) => [name, ratio])),
    missed: ROWS.filter((row, index) => isMissed(row, rows[index]?.ratio ?? 0)).map(({ name }) => name),
    rows,
    durability: { ours: durabilityOf("postgres", log).ours, native: DURABLE_NATIVE },
    machine,
  };
}

/** A line for people of each row. */
export function commitLines({ rows, missed, runs }: CommitResult): string[] {
  const side = ({ perSecond, p50Ms, p99Ms }: Rate): string =>
    `${perSecond.toLocaleString("en")}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms`;
  return [
    `medians of ${runs} runs:`,
    ...rows.flatMap(({ name, what, ratio, must, aim, ours, other }) => [
      `  ${name}: ${ratio} (must ${must}, aim ${aim})${missed.includes(name) ? ", MISSED" : ""}`,
      `    ${what}`,
      `    ours ${side(ours)}; the other ${side(other)}`,
    ]),
  ];
}

function rowResult(row: Row, taken: readonly RunFigures[]): RowResult {
  const { name, what, must, aim, ours, other } = row;
  return {
    name,
    what,
    ratio: rounded(median(taken.map((run) => ratioOf(row, run))), 2),
    must,
    aim,
    ours: rateOf(taken.map(ours)),
    other: rateOf(taken.map(other)),
  };
}

function sideResult(stretches: readonly Stretch[]): SideResult {
  const { perSecond, p50Ms, p99Ms } = rateOf(stretches);
  const cpuSeconds = medianOfKnown(stretches.map(({ metered }) => metered.cpuSeconds));
  return {
    seconds: rounded(median(stretches.map(({ metered }) => metered.seconds)), 3),
    rowsPerSecond: perSecond,
    cpuSeconds: cpuSeconds === null ? null : rounded(cpuSeconds, 2),
    p50Ms,
    p99Ms,
  };
}

import { median, medianOfKnown, percentile, rounded } from "../medians.ts";
import type { Machine, SideResult } from "../result.ts";
import type { LogKind } from "../servers.ts";
import type { RunFigures, Stretch } from "./figures.ts";
import { isMissed, ratioOf, ROWS, type Row } from "./rows.ts";

/** What `--json` prints on its last line: medians over all runs. */
export interface CommitResult {
  readonly scenario: "commit";
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
  /** Of the first row, as are `ours` and `native`. */
  readonly ratio: number;
  readonly ours: SideResult & { readonly peakRssMb: number | null };
  readonly native: SideResult;
  /** By the name of the row: ours by the other's, of commits a second, or of p50 where the row is about that. */
  readonly ratios: Readonly<Record<string, number>>;
  /** The rows that do not reach what they must. */
  readonly missed: readonly string[];
  readonly rows: readonly RowResult[];
  readonly durability: { readonly ours: string; readonly native: string };
  readonly machine: Machine;
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

interface Rate {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Summarized {
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
  readonly machine: Machine;
}

/** Durable everywhere: what a commit that has returned has survived. */
const DURABILITY = {
  ours: {
    kafka:
      "replicas commit with synchronous_commit = on, fsync on; Kafka acks = all, one broker, no fsync of each append",
    embedded: "replicas commit with synchronous_commit = on, fsync on; the embedded log syncs each append",
  },
  native: "subscriptions with synchronous_commit = on, fsync on",
} as const;

export function commitSummary(
  { log, replicas, runs, machine }: Summarized,
  taken: readonly RunFigures[],
): CommitResult {
  const rows = ROWS.map((row) => rowResult(row, taken));
  const peaks = taken.flatMap(({ one, three }) => [one.ours.peakRssMb, three.ours.peakRssMb]);
  return {
    scenario: "commit",
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
    durability: { ours: DURABILITY.ours[log], native: DURABILITY.native },
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

function rateOf(stretches: readonly Stretch[]): Rate {
  const at = (share: number): number =>
    rounded(median(stretches.map(({ latenciesMs }) => percentile(latenciesMs, share))), 2);
  return {
    perSecond: Math.round(median(stretches.map(({ perSecond }) => perSecond))),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
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

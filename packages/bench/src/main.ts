import { bench, type BenchOptions } from "./bench.ts";
import { commitBench } from "./commits/commit.ts";
import { commitLines } from "./commits/commit-summary.ts";
import { modesBench, modesLines } from "./commits/modes.ts";
import type { BenchResult, SideResult } from "./result.ts";

export interface MainOptions extends Omit<BenchOptions, "scenario"> {
  readonly scenario: BenchOptions["scenario"] | "commit" | "modes";
  /** Of each stretch of `commit` and `modes`. */
  readonly seconds: number;
  /** The result as one object on the last line of stdout; all else goes to stderr. */
  readonly isJson: boolean;
}

/** Runs the bench; the exit code. */
export async function main({ isJson, ...options }: MainOptions): Promise<number> {
  const stream = isJson ? process.stderr : process.stdout;
  const say = (line: string): void => void stream.write(`${line}\n`);
  for (const [name, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }))
    process.on(name, () => process.exit(128 + number)); // Servers and folders go with this process.
  try {
    const [result, lines] = await measured(options, say);
    for (const line of lines) say(line);
    if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`the bench failed: ${messageOf(error)}\n`);
    return 1;
  }
}

/** The result as it is printed for programs, and for people. */
async function measured(
  { scenario, ...options }: Omit<MainOptions, "isJson">,
  say: (line: string) => void,
): Promise<readonly [object, readonly string[]]> {
  if (scenario === "commit") {
    const result = await commitBench(options, say);
    return [result, commitLines(result)];
  }
  if (scenario === "modes") {
    const result = await modesBench(options, say);
    return [result, modesLines(result)];
  }
  const result = await bench({ ...options, scenario }, say);
  return [result, linesOf(result)];
}

/** Of what failed first, should its clearing away have failed too. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "suppressed" in error ? messageOf(error.suppressed) : error.message;
}

function linesOf({ ratio, ours, native, rates = [], runs, replicas }: BenchResult): string[] {
  const side = ({ seconds, rowsPerSecond, cpuSeconds }: SideResult): string =>
    `${seconds.toFixed(2)} s, ${rowsPerSecond.toLocaleString("en")} rows/s${cpuSeconds === null ? "" : `, ${cpuSeconds.toFixed(1)} s of processors`}`;
  return [
    `medians of ${runs} runs, ${replicas} replica${replicas === 1 ? "" : "s"}:`,
    `  ours   ${side(ours)}, peak RSS ${ours.peakRssMb} MB`,
    `  native ${side(native)}`,
    ...rates.map(
      ({ transactionsPerSecond, ...of }) =>
        `  ${transactionsPerSecond} tx/s: ours p50 ${of.ours.p50Ms} ms, p99 ${of.ours.p99Ms} ms; native p50 ${of.native.p50Ms} ms, p99 ${of.native.p99Ms} ms`,
    ),
    `  ratio  ${ratio.toFixed(2)} (above 1: ours is faster)`,
  ];
}

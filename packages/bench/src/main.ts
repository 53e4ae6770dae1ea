import { bench, type BenchOptions } from "./bench.ts";
import type { BenchResult, SideResult } from "./result.ts";

export interface MainOptions extends BenchOptions {
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
    const result = await bench(options, say);
    for (const line of linesOf(result)) say(line);
    if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`the bench failed: ${messageOf(error)}\n`);
    return 1;
  }
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

import { demo, type DemoOptions, type DemoResult } from "./demo.ts";
import { Screen } from "./screen.ts";

export interface MainOptions extends DemoOptions {
  /** The verdict as one object on the last line of stdout; all else goes to stderr. */
  readonly isJson: boolean;
}

/** Runs the demo to its verdict, or to the first signal; a second one ends the process at once. The exit code. */
export async function main({ isJson, ...options }: MainOptions): Promise<number> {
  const stop = new AbortController();
  const screen = new Screen(isJson ? process.stderr : process.stdout);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stop.abort()); // A pipe whose reader has gone.
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(128 + number);
      screen.say("\nstopping: every process and file of the demo goes");
      stop.abort(new Interruption(128 + number));
    });
  }
  try {
    const result = await demo(options, screen, stop.signal);
    if (isJson) print(result);
    return result.ok ? 0 : 1;
  } catch (error) {
    const reason: unknown = stop.signal.reason;
    const isInterrupted = reason instanceof Interruption;
    const message = error instanceof Error ? error.message : String(error);
    if (!isInterrupted) screen.say(`the demo failed: ${message}`);
    if (isJson) print({ ...NO_RESULT, error: isInterrupted ? "interrupted" : message });
    return isInterrupted ? reason.exitCode : 1;
  }
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

const NO_RESULT: DemoResult = {
  ok: false,
  transactions: 0,
  events: 0,
  seconds: 0,
  lagMs: { p50: null, p99: null },
  replicas: [],
  faults: [],
};

function print(result: DemoResult & { readonly error?: string }): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

class Interruption extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("interrupted");
    this.exitCode = exitCode;
  }
}

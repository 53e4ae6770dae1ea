import { setTimeout as sleep } from "node:timers/promises";
import { hasCode } from "@lockstep/core";
import { BottomLines } from "../bottom-lines.ts";
import type { StatusReport } from "../watching/status-report.ts";
import { statusSchema } from "../watching/status-schema.ts";
import { statusLines } from "../watching/status-table.ts";
import { ANOTHER_PROGRAM, askRunning, configuredUrl, notRunning } from "./running-process.ts";
import { timed } from "../waiting/timed.ts";

/** How often it is drawn anew. */
const WATCH_INTERVAL_MS = 1_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** Of what is no terminal. */
const DEFAULT_COLUMNS = 200;

export interface StatusOptions {
  readonly isWatching: boolean;
  readonly isJson: boolean;
  /** Instead of the configuration's address. */
  readonly url?: string;
}

/** Asks the running process how the pipeline is. Rejects with `not-running` when none answers. */
export async function status(configPath: string, options: StatusOptions): Promise<void> {
  const url = options.url ?? (await configuredUrl(configPath));
  if (options.isWatching) return await watch(url, options.isJson);
  const report = await ask(url, AbortSignal.timeout(ANSWER_TIMEOUT_MS));
  const text = options.isJson ? JSON.stringify(report, null, 2) : statusLines(report, columns()).join("\n");
  await new Promise<void>((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

/** Until SIGINT or SIGTERM; a run that is gone is waited for. */
async function watch(url: string, isJson: boolean): Promise<void> {
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  process.stdout.on("error", stop); // The reader of our output is gone.
  const show = isJson ? showJson : showerOfLines();
  while (!stopped.signal.aborted) {
    const said = await timed(
      { timeoutMs: ANSWER_TIMEOUT_MS, stop: stopped.signal },
      async (signal) => await ask(url, signal),
    ).catch((error: unknown) => error);
    if (stopped.signal.aborted) return;
    show(said);
    await sleep(WATCH_INTERVAL_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
  }
}

/** On a terminal what was shown before is drawn over; the last one stays. */
function showerOfLines(): (said: unknown) => void {
  const { stdout } = process;
  const bottom = stdout.isTTY ? new BottomLines(stdout) : null;
  return (said) => {
    const lines = isReport(said) ? statusLines(said, columns()) : errorText(said).split("\n");
    if (bottom === null) stdout.write(`${lines.join("\n")}\n\n`);
    else bottom.show(lines.map((line) => line.slice(0, columns())).slice(0, stdout.rows - 1));
  };
}

function showJson(said: unknown): void {
  const shown = isReport(said) ? said : { error: errorText(said) };
  process.stdout.write(`${JSON.stringify(shown)}\n`);
}

function isReport(said: unknown): said is StatusReport {
  return !(said instanceof Error);
}

function errorText(error: unknown): string {
  if (!hasCode(error, "not-running")) return String(error);
  return `${error.message}; trying again\n  fix: ${error.fix ?? ""}`;
}

async function ask(url: string, signal: AbortSignal): Promise<StatusReport> {
  const { status: answered, isOk, body } = await askRunning(url, "/status", { signal });
  if (!isOk) throw notRunning(url, `it answers ${answered}`);
  const parsed = statusSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw notRunning(url, ANOTHER_PROGRAM, parsed.error);
}

function columns(): number {
  return process.stdout.isTTY ? process.stdout.columns : DEFAULT_COLUMNS;
}

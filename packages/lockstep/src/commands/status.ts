import { setTimeout as sleep } from "node:timers/promises";
import { hasCode, ReplicationError } from "@lockstep/core";
import { BottomLines } from "../bottom-lines.ts";
import { loadHttp } from "../config.ts";
import { listenText, parseListen, urlOf } from "../watching/listen.ts";
import type { StatusReport } from "../watching/status-report.ts";
import { statusSchema } from "../watching/status-schema.ts";
import { statusLines } from "../watching/status-table.ts";

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
    const answered = AbortSignal.any([stopped.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const said = await ask(url, answered).catch((error: unknown) => error);
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
  let text: string;
  try {
    const response = await fetch(new URL("/status", url), { signal, redirect: "error" });
    text = await response.text();
    if (!response.ok) throw new Error(`it answers ${response.status}`);
  } catch (error) {
    throw notRunning(url, reasonOf(error), error);
  }
  const parsed = statusSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw notRunning(url, "what answers there is no lockstep, or one of another version", parsed.error);
}

async function configuredUrl(configPath: string): Promise<string> {
  const http = await loadHttp(configPath);
  const listen = http === false ? null : parseListen(http.listen);
  if (listen !== null && listen.port !== 0) return urlOf(listen);
  const why =
    listen === null
      ? `${configPath} has http switched off`
      : `http.listen of ${configPath} is ${listenText(listen)}, any free port`;
  throw new ReplicationError("not-running", `${why}: there is no address to ask`, {
    fix: "name the address that the run has logged with --url, or set http.listen and start the run anew",
  });
}

function notRunning(url: string, reason: string, cause: unknown): ReplicationError {
  return new ReplicationError("not-running", `no running pipeline answers at ${url}: ${reason}`, {
    cause,
    fix: "start it with lockstep run; where it runs, name its address with --url or http.listen",
  });
}

/** `fetch` says only that it failed; why, says its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return cause instanceof Error && cause.message !== "" ? cause.message : error.message;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function columns(): number {
  return process.stdout.isTTY ? process.stdout.columns : DEFAULT_COLUMNS;
}

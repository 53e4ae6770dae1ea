import { once } from "node:events";
import { dirname } from "node:path";
import { decodeRecord, nextOffset, offset, type EventLog, type LogEntry, type Offset } from "@lockstep/core";
import { loadConfig } from "../config.ts";
import { eventLines } from "../event-lines.ts";
import { createLogger, type LoggingOptions } from "../logging.ts";
import { createLog } from "../logs.ts";

const READ_BYTES = 1024 * 1024;
const READ_WAIT_MS = 1_000;

export interface TailOptions {
  /** `end`, `beginning`, or an offset. */
  readonly from: string;
  /** Stop at the end instead of waiting for more. */
  readonly noFollow: boolean;
  readonly isJson: boolean;
}

/** Prints the events of the pipeline's topic, one a line. Reads only; may run beside anything. */
export async function tail(configPath: string, options: TailOptions, logging: LoggingOptions): Promise<void> {
  const config = await loadConfig(configPath);
  await using log = await createLog(config, dirname(configPath), await createLogger(logging));
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  process.stdout.on("error", stop); // The reader of our output is gone.
  try {
    const { next } = await log.bounds(stopped.signal);
    const from = await startOf(log, options.from, stopped.signal);
    for await (const entry of entriesFrom(log, from, options.noFollow ? next : null, stopped.signal)) {
      const { headers, record } = decodeRecord(entry);
      for (const line of eventLines(entry.offset, headers, record, options.isJson))
        await print(line, stopped.signal);
    }
    await new Promise<void>((resolve) => process.stdout.write("", () => resolve())); // All of it, before we end.
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
  }
}

/** A slow reader makes us wait. */
async function print(line: string, signal: AbortSignal): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain", { signal });
}

async function startOf(log: EventLog, from: string, signal: AbortSignal): Promise<Offset> {
  const { first, next } = await log.bounds(signal);
  if (from === "end") return next;
  return from === "beginning" ? first : offset(from);
}

async function* entriesFrom(
  log: EventLog,
  from: Offset,
  before: Offset | null,
  signal: AbortSignal,
): AsyncGenerator<LogEntry, void, undefined> {
  for (let at = from; before === null || at < before;) {
    const chunk = await log.read({ from: at, maxBytes: READ_BYTES, maxWaitMs: READ_WAIT_MS }, signal);
    for (const entry of chunk.entries) {
      if (before !== null && entry.offset >= before) return;
      yield entry;
      at = nextOffset(entry.offset);
    }
    at = chunk.next;
  }
}

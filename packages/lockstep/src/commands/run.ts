import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { Pipeline } from "@lockstep/pipeline";
import { BottomLines } from "../bottom-lines.ts";
import { loadConfig } from "../config.ts";
import { createSinks, createSource } from "../engines.ts";
import { failpointsFromEnvironment } from "../failpoint-kills.ts";
import { boundHeap } from "../heap.ts";
import { createLogger, type LoggingOptions } from "../logging.ts";
import { createLog } from "../logs.ts";
import { reportProgress } from "../progress-report.ts";

const MS_PER_HOUR = 3_600_000;

/** Follows the primary until SIGTERM or SIGINT: then it finishes what is in hand. A second one ends it at once. */
export async function run(configPath: string, logging: LoggingOptions): Promise<void> {
  boundHeap();
  const config = await loadConfig(configPath);
  const isOnTerminal = process.stderr.isTTY && !logging.isJson;
  const bottom = isOnTerminal ? { bottom: new BottomLines(process.stderr) } : {};
  const logger = createLogger(logging, bottom.bottom);
  const failpoints = failpointsFromEnvironment(process.env["LOCKSTEP_FAILPOINT"], logger);
  const folder = dirname(configPath);
  const context = { config, folder, logger, failpoints };
  await using log = createLog(config, folder, logger);
  const source = createSource(context);
  const sinks = createSinks(context);
  const retentionMs = config.retention.hours * MS_PER_HOUR;
  const retentionBytes = config.retention.bytes ?? null;
  const { parallel, maxBytesPerSecond = null } = config.snapshot;
  const copies = { parallel, bytesPerSecond: maxBytesPerSecond };
  const newId = randomUUID;
  const pipeline = new Pipeline({
    source,
    sinks,
    log,
    logger,
    newId,
    retentionMs,
    retentionBytes,
    copies,
    failpoints,
  });
  const stop = stopOnSignals((signal) => logger.info({ signal }, "stopping"));
  const stopReport = reportProgress(pipeline, { log, logger, ...bottom });
  logger.info({ pipeline: config.pipeline, pid: process.pid }, "lockstep is running");
  try {
    await pipeline.run(stop);
  } finally {
    stopReport();
  }
  logger.info({}, "stopped");
}

function stopOnSignals(onStop: (signal: string) => void): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
      onStop(signal);
      controller.abort();
    });
  }
  return controller.signal;
}

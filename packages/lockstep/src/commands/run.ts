import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { ReplicationError } from "@lockstep/core";
import { Pipeline } from "@lockstep/pipeline";
import { BottomLines } from "../bottom-lines.ts";
import { checkBeforeStart } from "../checking/start-check.ts";
import { loadConfig } from "../config.ts";
import type { Config } from "../config-schema.ts";
import { createSinks, createSource } from "../engines.ts";
import { failpointsFromEnvironment } from "../failpoint-kills.ts";
import { boundHeap } from "../heap.ts";
import { createLogger, type LoggingOptions } from "../logging.ts";
import { createLog } from "../logs.ts";
import { quorumRuleOf } from "../quorum-rule.ts";
import { reportProgress } from "../progress-report.ts";
import { showProgress } from "../show-progress.ts";
import { readVersion } from "../version.ts";
import { parseListen } from "../watching/listen.ts";
import { Metrics } from "../watching/metrics.ts";
import { reportStatus, type StatusReport } from "../watching/status-report.ts";
import { startWatchServer, type WatchServerOptions } from "../watching/watch-server.ts";

const MS_PER_HOUR = 3_600_000;

/** Follows the primary until SIGTERM or SIGINT: then it finishes what is in hand. A second one ends it at once. */
export async function run(configPath: string, logging: LoggingOptions, listen?: string): Promise<void> {
  boundHeap();
  const config = withListen(await loadConfig(configPath), listen);
  const isOnTerminal = process.stderr.isTTY && !logging.isJson;
  const bottom = isOnTerminal ? { bottom: new BottomLines(process.stderr) } : {};
  const logger = createLogger(logging, bottom.bottom);
  const failpoints = failpointsFromEnvironment(process.env["LOCKSTEP_FAILPOINT"], logger);
  const folder = dirname(configPath);
  const context = { config, folder, logger, failpoints };
  await using log = await createLog(config, folder, logger);
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
    quorum: quorumRuleOf(config),
    logger,
    newId,
    retentionMs,
    retentionBytes,
    copies,
    failpoints,
    onStage: (stage, ms) => metrics.observe(stage, ms),
  });
  const readStatus = (): StatusReport => reportStatus(pipeline.status, config);
  const metrics = new Metrics(readStatus, readVersion());
  await using _server = await serve(config, { readStatus, metrics, logger });
  const stop = stopOnSignals((signal) => logger.info({ signal }, "stopping"));
  const stopReport = reportProgress(pipeline, { logger, ...bottom });
  const stopShowing = showProgress(pipeline, log, logger);
  logger.info({ pipeline: config.pipeline, pid: process.pid }, "lockstep is running");
  try {
    await checkBeforeStart({ config, folder, logger }, stop);
    await pipeline.run(stop);
  } finally {
    stopReport();
    stopShowing();
  }
  logger.info({}, "stopped");
}

function withListen(config: Config, listen: string | undefined): Config {
  if (listen === undefined || listen === "off")
    return listen === undefined ? config : { ...config, http: false };
  if (parseListen(listen) !== null) return { ...config, http: { listen } };
  throw new ReplicationError("config-invalid", `--listen ${listen} is not host:port`, {
    fix: "use --listen 127.0.0.1:8643, or --listen off",
  });
}

async function serve(
  { http }: Config,
  options: Omit<WatchServerOptions, "listen">,
): Promise<AsyncDisposable | null> {
  const listen = http === false ? null : parseListen(http.listen); // Else it is off.
  return listen === null ? null : await startWatchServer({ ...options, listen });
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

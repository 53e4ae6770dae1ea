import { randomUUID } from "node:crypto";
import type { EventLog, Failpoints, Logger } from "@lockstep/core";
import { Pipeline, type PipelineStatus } from "@lockstep/pipeline";
import type { BottomLines } from "./bottom-lines.ts";
import { checkBeforeStart } from "./checking/start-check.ts";
import type { Config } from "./config-schema.ts";
import { createSinks, createSource } from "./engines.ts";
import { createLog } from "./logs.ts";
import { reportProgress } from "./progress-report.ts";
import { quorumRuleOf } from "./quorum-rule.ts";
import { showProgress } from "./show-progress.ts";
import { readVersion } from "./version.ts";
import { Tokens } from "./waiting/tokens.ts";
import { waitForToken, type WaitRequest } from "./waiting/wait-for-token.ts";
import { parseListen } from "./watching/listen.ts";
import { Metrics } from "./watching/metrics.ts";
import { reportStatus, type StatusReport } from "./watching/status-report.ts";
import { startWatchServer } from "./watching/watch-server.ts";

const MS_PER_HOUR = 3_600_000;

export interface BuildOptions {
  readonly config: Config;
  /** Paths are relative to it. */
  readonly folder: string;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
  readonly onState?: (state: PipelineStatus["state"]) => void;
}

/** A pipeline with all that a configuration says, not running yet. Disposing closes its event log. */
export interface BuiltPipeline extends AsyncDisposable {
  readonly options: BuildOptions;
  readonly pipeline: Pipeline;
  readonly log: EventLog;
  readonly tokens: Tokens;
  readonly metrics: Metrics;
  readonly readStatus: () => StatusReport;
  /** See `waitForToken`. */
  readonly wait: (request: WaitRequest) => Promise<number>;
}

/** The one place where source, sinks, log and pipeline are made: for `lockstep run` and for the library. */
export async function buildPipeline(options: BuildOptions): Promise<BuiltPipeline> {
  const { config, folder, logger, failpoints, onState } = options;
  const context = { config, folder, logger, failpoints };
  const log = await createLog(config, folder, logger);
  const { parallel, maxBytesPerSecond = null } = config.snapshot;
  const source = await createSource(context);
  const pipeline = new Pipeline({
    source,
    sinks: await createSinks(context),
    disabled: config.replicas.filter(({ enabled }) => !enabled).map(({ name }) => name),
    log,
    quorum: quorumRuleOf(config),
    logger,
    newId: randomUUID,
    retentionMs: config.retention.hours * MS_PER_HOUR,
    retentionBytes: config.retention.bytes ?? null,
    copies: { parallel, bytesPerSecond: maxBytesPerSecond },
    failpoints,
    onStage: (stage, ms) => metrics.observe(stage, ms),
    ...(onState === undefined ? {} : { onState }),
  });
  const readStatus = (): StatusReport => reportStatus(pipeline.status, config);
  const metrics = new Metrics(readStatus, readVersion());
  const tokens = new Tokens({ pipeline: config.pipeline, epochs: pipeline, positions: source });
  return {
    options,
    pipeline,
    log,
    tokens,
    metrics,
    readStatus,
    wait: async (request) => await waitForToken({ pipeline, tokens }, request),
    [Symbol.asyncDispose]: async () => await log[Symbol.asyncDispose](),
  };
}

/** Serves, checks and runs it until the signal; then it finishes what is in hand. Rejects with what ends it. */
export async function runPipeline(
  built: BuiltPipeline,
  signal: AbortSignal,
  bottom?: BottomLines,
): Promise<void> {
  const { pipeline, log, options } = built;
  const { config, folder, logger } = options;
  await using _server = await serve(built);
  const stopReport = reportProgress(pipeline, { logger, ...(bottom === undefined ? {} : { bottom }) });
  const stopShowing = showProgress(pipeline, log, logger);
  logger.info({ pipeline: config.pipeline }, "lockstep is running");
  try {
    await checkBeforeStart({ config, folder, logger }, signal);
    await pipeline.run(signal);
  } finally {
    stopReport();
    stopShowing();
  }
  logger.info({}, "stopped");
}

async function serve(built: BuiltPipeline): Promise<AsyncDisposable | null> {
  const { http } = built.options.config;
  const listen = http === false ? null : parseListen(http.listen); // Else it is off.
  if (listen === null) return null;
  const { readStatus, metrics, wait } = built;
  return await startWatchServer({ readStatus, metrics, wait, listen, logger: built.options.logger });
}

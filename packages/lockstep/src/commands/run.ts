import { dirname } from "node:path";
import { ReplicationError } from "@lockstep/core";
import { BottomLines } from "../bottom-lines.ts";
import { buildPipeline, runPipeline } from "../built-pipeline.ts";
import { loadConfig } from "../config.ts";
import type { Config } from "../config-schema.ts";
import { failpointsFromEnvironment } from "../failpoint-kills.ts";
import { boundHeap } from "../heap.ts";
import { createLogger, type LoggingOptions } from "../logging.ts";
import { parseListen } from "../watching/listen.ts";

/** Follows the primary until SIGTERM or SIGINT: then it finishes what is in hand. A second one ends it at once. */
export async function run(configPath: string, logging: LoggingOptions, listen?: string): Promise<void> {
  boundHeap();
  const config = withListen(await loadConfig(configPath), listen);
  const isOnTerminal = process.stderr.isTTY && !logging.isJson;
  const bottom = isOnTerminal ? new BottomLines(process.stderr) : undefined;
  const logger = await createLogger(logging, bottom);
  const failpoints = failpointsFromEnvironment(process.env["LOCKSTEP_FAILPOINT"], logger);
  await using built = await buildPipeline({ config, folder: dirname(configPath), logger, failpoints });
  const stop = stopOnSignals((signal) => {
    logger.info({ signal }, "stopping");
    const state = built.pipeline.status.source.gate?.state;
    if (state !== "armed" && state !== "degraded-replicas") return;
    logger.warn(
      {},
      "the gate stays armed: commits on the primary wait until a run is back, or `lockstep gate off`",
    );
  });
  await runPipeline(built, stop, bottom);
}

function withListen(config: Config, listen: string | undefined): Config {
  if (listen === undefined || listen === "off")
    return listen === undefined ? config : { ...config, http: false };
  if (parseListen(listen) !== null) return { ...config, http: { listen } };
  throw new ReplicationError("config-invalid", `--listen ${listen} is not host:port`, {
    fix: "use --listen 127.0.0.1:8643, or --listen off",
  });
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

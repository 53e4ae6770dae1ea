import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Sink, Source } from "@lockstep/core";
import { createEmbeddedLog } from "@lockstep/log-embedded";
import { Pipeline } from "@lockstep/pipeline";
import { silentLogger } from "@lockstep/testkit";

export interface RunningOptions {
  /** Of the pipeline. */
  readonly name: string;
  /** Where its embedded log is. */
  readonly folder: string;
  readonly source: Source;
  readonly sinks: readonly Sink[];
}

/** Runs a pipeline over an embedded log during the work; then it is stopped. */
export async function runningPipeline(
  { name, folder, source, sinks }: RunningOptions,
  work: (pipeline: Pipeline) => Promise<void>,
): Promise<void> {
  const logger = silentLogger;
  await using log = createEmbeddedLog({
    path: join(folder, "log"),
    pipeline: name,
    maxBytes: 64 * 1024 * 1024,
    logger,
  });
  const pipeline = new Pipeline({
    source,
    sinks: [...sinks],
    log,
    quorum: { mode: "async" },
    logger,
    newId: randomUUID,
    retentionMs: 3_600_000,
    retentionBytes: null,
    copies: { parallel: 4, bytesPerSecond: null },
  });
  const stop = new AbortController();
  const run = pipeline.run(stop.signal);
  const ended = run.then(() => Promise.reject(new Error("the pipeline has ended")));
  try {
    await Promise.race([work(pipeline), ended]);
  } finally {
    stop.abort();
    await run;
  }
}

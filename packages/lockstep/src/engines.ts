import { createPostgresSink, createPostgresSource } from "@lockstep/engine-postgres";
import type { ConflictPolicy, Failpoints, Logger, Sink, Source } from "@lockstep/core";
import type { Config, EngineName, PrimaryConfig, ReplicaConfig } from "./config-schema.ts";

interface Context {
  readonly config: Config;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

interface Engine {
  source(primary: PrimaryConfig, context: Context): Source;
  sink(replica: ReplicaConfig, context: Context): Sink;
}

/** Where engines plug in: the only place that names them. */
const ENGINES: Readonly<Record<EngineName, Engine>> = {
  postgres: {
    source: ({ url }, { config, logger, failpoints }) =>
      createPostgresSource({
        url,
        pipeline: config.pipeline,
        tables: config.tables,
        maxRowBytes: config.maxRowBytes,
        logger,
        failpoints,
      }),
    sink: ({ name, url }, { config, logger, failpoints }) =>
      createPostgresSink({
        replica: name,
        url,
        pipeline: config.pipeline,
        onConflict: conflictPolicyOf(config.onConflict),
        existing: config.snapshot.existing,
        logger,
        failpoints,
      }),
  },
};

export function createSource(context: Context): Source {
  const { primary } = context.config;
  return ENGINES[primary.engine].source(primary, context);
}

export function createSinks(context: Context): Sink[] {
  return context.config.replicas.map((replica) => ENGINES[replica.engine].sink(replica, context));
}

function conflictPolicyOf(onConflict: Config["onConflict"]): ConflictPolicy {
  return typeof onConflict === "string"
    ? { kind: onConflict }
    : { kind: "latest_wins", column: onConflict.latest_wins };
}

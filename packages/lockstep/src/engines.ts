import {
  createGate,
  createPausable,
  createPostgresClient,
  createPostgresSink,
  createPostgresSource,
  createPrimaryCheck,
  createRemovablePrimary,
  createRemovableReplica,
  createReplicaCheck,
} from "@lockstep/engine-postgres";
import type {
  ClientDatabase,
  ConflictPolicy,
  Failpoints,
  Gate,
  Logger,
  Pausable,
  PrimaryCheck,
  Removable,
  ReplicaCheck,
  Sink,
  Source,
} from "@lockstep/core";
import type { Config, EngineName, PrimaryConfig, ReplicaConfig } from "./config-schema.ts";

interface Context {
  readonly config: Config;
  /** Where the configuration is: paths are relative to it. */
  readonly folder: string;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

interface CheckContext extends Pick<Context, "config" | "folder"> {
  /** Tables one by one; else only what they all need. */
  readonly comparesTables: boolean;
}

interface Engine {
  source(primary: PrimaryConfig, context: Context): Source;
  sink(replica: ReplicaConfig, context: Context): Sink;
  primaryCheck(primary: PrimaryConfig, context: CheckContext): PrimaryCheck;
  replicaCheck(replica: ReplicaConfig, context: CheckContext): ReplicaCheck;
  /** What a pipeline has there of its own. */
  removable(
    database: PrimaryConfig | ReplicaConfig,
    as: "primary" | "replica",
    context: Pick<Context, "config" | "folder">,
  ): Removable;
  gate(primary: PrimaryConfig, context: Pick<Context, "config" | "folder">): Gate;
  pausable(replica: ReplicaConfig, context: Pick<Context, "config" | "folder">): Pausable;
  client(database: PrimaryConfig | ReplicaConfig, context: ClientContext): ClientDatabase;
}

interface ClientContext extends Pick<Context, "config" | "folder"> {
  readonly maxSessions: number;
  readonly isReadOnly: boolean;
}

/** Where engines plug in: the only place that names them. */
const ENGINES: Readonly<Record<EngineName, Engine>> = {
  postgres: {
    source: ({ url }, { config, folder, logger, failpoints }) =>
      createPostgresSource({
        url,
        folder,
        pipeline: config.pipeline,
        tables: config.tables,
        maxRowBytes: config.maxRowBytes,
        degradeAfterMs:
          config.mode === "sync" || config.degradeAfterMs === "never" ? null : config.degradeAfterMs,
        logger,
        failpoints,
      }),
    sink: ({ name, url }, { config, folder, logger, failpoints }) =>
      createPostgresSink({
        replica: name,
        url,
        folder,
        pipeline: config.pipeline,
        dialect: config.primary.engine,
        onConflict: conflictPolicyOf(config.onConflict),
        existing: config.snapshot.existing,
        logger,
        failpoints,
      }),
    primaryCheck: ({ url }, { config, folder }) =>
      createPrimaryCheck({ url, folder, pipeline: config.pipeline, tables: config.tables }),
    replicaCheck: ({ name, url }, { config, folder, comparesTables }) =>
      createReplicaCheck({
        replica: name,
        url,
        folder,
        pipeline: config.pipeline,
        dialect: config.primary.engine,
        existing: config.snapshot.existing,
        comparesTables,
      }),
    removable: ({ name, url }, as, { config: { pipeline }, folder }) =>
      (as === "primary" ? createRemovablePrimary : createRemovableReplica)({ name, url, folder, pipeline }),
    gate: ({ name, url }, { config: { pipeline }, folder }) => createGate({ name, url, folder, pipeline }),
    pausable: ({ name, url }, { config: { pipeline }, folder }) =>
      createPausable({ name, url, folder, pipeline }),
    client: ({ url }, { config: { pipeline }, folder, maxSessions, isReadOnly }) =>
      createPostgresClient({ url, folder, pipeline, maxSessions, isReadOnly }),
  },
};

export function createGateOf(context: Pick<Context, "config" | "folder">): Gate {
  const { primary } = context.config;
  return ENGINES[primary.engine].gate(primary, context);
}

export function createClient(
  database: PrimaryConfig | ReplicaConfig,
  context: ClientContext,
): ClientDatabase {
  return ENGINES[database.engine].client(database, context);
}

export function createPausables(context: Pick<Context, "config" | "folder">): Pausable[] {
  return context.config.replicas.map((replica) => ENGINES[replica.engine].pausable(replica, context));
}

export function createRemovable(
  database: PrimaryConfig | ReplicaConfig,
  as: "primary" | "replica",
  context: Pick<Context, "config" | "folder">,
): Removable {
  return ENGINES[database.engine].removable(database, as, context);
}

export function createSource(context: Context): Source {
  const { primary } = context.config;
  return ENGINES[primary.engine].source(primary, context);
}

export function createSinks(context: Context): Sink[] {
  return context.config.replicas.map((replica) => ENGINES[replica.engine].sink(replica, context));
}

export function createPrimaryCheckOf(context: CheckContext): PrimaryCheck {
  const { primary } = context.config;
  return ENGINES[primary.engine].primaryCheck(primary, context);
}

export function createReplicaChecksOf(context: CheckContext): ReplicaCheck[] {
  return enabledOf(context.config).map((replica) => ENGINES[replica.engine].replicaCheck(replica, context));
}

/** The others are left as they are. */
export function enabledOf({ replicas }: Config): ReplicaConfig[] {
  return replicas.filter(({ enabled }) => enabled);
}

function conflictPolicyOf(onConflict: Config["onConflict"]): ConflictPolicy {
  return typeof onConflict === "string"
    ? { kind: onConflict }
    : { kind: "latest_wins", column: onConflict.latest_wins };
}

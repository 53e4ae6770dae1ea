import {
  comparePositions,
  createPausable,
  createPostgresClient,
  createPostgresSink,
  createPostgresSource,
  createPrimaryCheck,
  createRemovablePrimary,
  createRemovableReplica,
  createReplicaCheck,
  isPosition,
} from "@lockstep/engine-postgres";
import type {
  ClientDatabase,
  ComparePositions,
  ConflictPolicy,
  Failpoints,
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
  pausable(replica: ReplicaConfig, context: Pick<Context, "config" | "folder">): Pausable;
  client(database: PrimaryConfig | ReplicaConfig, context: ClientContext): ClientDatabase;
  readonly positions: Positions;
}

interface ClientContext extends Pick<Context, "config" | "folder"> {
  readonly maxSessions: number;
  readonly isReadOnly: boolean;
}

/** What only the engine that writes positions knows of them. */
export interface Positions {
  readonly compare: ComparePositions;
  /** Whether a text from outside is one: nothing else may be compared. */
  isPosition(text: string): boolean;
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
        logger,
        failpoints,
      }),
    sink: ({ name, url }, { config, folder, logger, failpoints }) =>
      createPostgresSink({
        replica: name,
        url,
        folder,
        pipeline: config.pipeline,
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
        existing: config.snapshot.existing,
        comparesTables,
      }),
    removable: ({ name, url }, as, { config: { pipeline }, folder }) =>
      (as === "primary" ? createRemovablePrimary : createRemovableReplica)({ name, url, folder, pipeline }),
    pausable: ({ name, url }, { config: { pipeline }, folder }) =>
      createPausable({ name, url, folder, pipeline }),
    client: ({ url }, { config: { pipeline }, folder, maxSessions, isReadOnly }) =>
      createPostgresClient({ url, folder, pipeline, maxSessions, isReadOnly }),
    positions: { compare: comparePositions, isPosition },
  },
};

export function createClient(
  database: PrimaryConfig | ReplicaConfig,
  context: ClientContext,
): ClientDatabase {
  return ENGINES[database.engine].client(database, context);
}

/** Of the pipeline's own: those that its primary writes. */
export function positionsOf({ primary }: Config): Positions {
  return ENGINES[primary.engine].positions;
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
  return context.config.replicas.map((replica) => ENGINES[replica.engine].replicaCheck(replica, context));
}

function conflictPolicyOf(onConflict: Config["onConflict"]): ConflictPolicy {
  return typeof onConflict === "string"
    ? { kind: onConflict }
    : { kind: "latest_wins", column: onConflict.latest_wins };
}

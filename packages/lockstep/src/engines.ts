import * as mysql from "@lockstep/engine-mysql";
import * as postgres from "@lockstep/engine-postgres";
import { renamedCheck, renamedSink, Renaming } from "@lockstep/core";
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
import type { Config, PrimaryConfig, ReplicaConfig } from "./config-schema.ts";
import { areOneFamily, ownSchemaOf, type EngineName } from "./engine-urls.ts";

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

const POSTGRES: Engine = {
  source: ({ url }, { config, folder, logger, failpoints }) =>
    postgres.createPostgresSource({
      url,
      folder,
      pipeline: config.pipeline,
      tables: config.tables,
      maxRowBytes: config.maxRowBytes,
      degradeAfterMs: degradeAfterMsOf(config),
      logger,
      failpoints,
    }),
  sink: ({ name, url }, { config, folder, logger, failpoints }) =>
    postgres.createPostgresSink({
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
  primaryCheck: ({ url }, { config: { pipeline, tables }, folder }) =>
    postgres.createPrimaryCheck({ url, folder, pipeline, tables }),
  replicaCheck: ({ name, url }, { config, folder, comparesTables }) =>
    postgres.createReplicaCheck({
      replica: name,
      url,
      folder,
      pipeline: config.pipeline,
      dialect: config.primary.engine,
      existing: config.snapshot.existing,
      comparesTables,
    }),
  removable: ({ name, url }, as, { config: { pipeline }, folder }) => {
    const database = { name, url, folder, pipeline };
    return as === "primary"
      ? postgres.createRemovablePrimary(database)
      : postgres.createRemovableReplica(database);
  },
  gate: ({ name, url }, { config: { pipeline }, folder }) =>
    postgres.createGate({ name, url, folder, pipeline }),
  pausable: ({ name, url }, { config: { pipeline }, folder }) =>
    postgres.createPausable({ name, url, folder, pipeline }),
  client: ({ url }, { config: { pipeline }, folder, maxSessions, isReadOnly }) =>
    postgres.createPostgresClient({ url, folder, pipeline, maxSessions, isReadOnly }),
};

/** Both: which of them a server is, is told by its url, and by itself. */
const MYSQL: Engine = {
  source: ({ url }, { config, folder, logger, failpoints }) => {
    const { pipeline, tables, maxRowBytes } = config;
    const degradeAfterMs = degradeAfterMsOf(config);
    return new mysql.MysqlSource({
      url,
      folder,
      pipeline,
      tables,
      maxRowBytes,
      degradeAfterMs,
      logger,
      failpoints,
    });
  },
  sink: ({ name, url }, { config, folder, logger, failpoints }) =>
    mysql.createMysqlSink({
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
  primaryCheck: ({ url }, { config: { pipeline, tables }, folder }) =>
    mysql.createPrimaryCheck({ url, folder, pipeline, tables }),
  replicaCheck: ({ name, url }, { config, folder, comparesTables }) =>
    mysql.createReplicaCheck({
      replica: name,
      url,
      folder,
      pipeline: config.pipeline,
      dialect: config.primary.engine,
      existing: config.snapshot.existing,
      maxRowBytes: config.maxRowBytes,
      comparesTables,
    }),
  removable: ({ name, url }, as, { config: { pipeline }, folder }) => {
    const database = { name, url, folder, pipeline };
    return as === "primary" ? mysql.createRemovablePrimary(database) : mysql.createRemovableReplica(database);
  },
  gate: ({ name, url }, { config, folder }) =>
    mysql.createGate({
      name,
      url,
      folder,
      pipeline: config.pipeline,
      degradeAfterMs: degradeAfterMsOf(config),
    }),
  pausable: ({ name, url }, { config: { pipeline }, folder }) =>
    mysql.createPausable({ name, url, folder, pipeline }),
  client: ({ url }, { folder, maxSessions, isReadOnly }) =>
    mysql.createMysqlClient({ url, folder, maxSessions, isReadOnly }),
};

/** Where engines plug in: the only place that names them, beside their urls (`engine-urls.ts`). */
const ENGINES: Readonly<Record<EngineName, Engine>> = { postgres: POSTGRES, mysql: MYSQL, mariadb: MYSQL };

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
  return context.config.replicas.map((replica) => {
    const sink = ENGINES[replica.engine].sink(replica, context);
    const renaming = renamingFor(context.config.primary, replica);
    return renaming === null ? sink : renamedSink(sink, renaming);
  });
}

export function createPrimaryCheckOf(context: CheckContext): PrimaryCheck {
  const { primary } = context.config;
  return ENGINES[primary.engine].primaryCheck(primary, context);
}

export function createReplicaChecksOf(context: CheckContext): ReplicaCheck[] {
  return enabledOf(context.config).map((replica) => {
    const check = ENGINES[replica.engine].replicaCheck(replica, context);
    const renaming = renamingFor(context.config.primary, replica);
    return renaming === null ? check : renamedCheck(check, renaming);
  });
}

/** Between families the schemas of unqualified names correspond: PostgreSQL's `public`, MySQL's database of the url. */
function renamingFor(primary: PrimaryConfig, replica: ReplicaConfig): Renaming | null {
  if (areOneFamily(primary.engine, replica.engine)) return null;
  const [from, to] = [ownSchemaOf(primary.engine, primary.url), ownSchemaOf(replica.engine, replica.url)];
  return from === null || from === to ? null : new Renaming(from, to);
}

/** The others are left as they are. */
export function enabledOf({ replicas }: Config): ReplicaConfig[] {
  return replicas.filter(({ enabled }) => enabled);
}

/** Null: a commit waits at the gate for as long as it takes. */
function degradeAfterMsOf({ mode, degradeAfterMs }: Config): number | null {
  return mode === "sync" || degradeAfterMs === "never" ? null : degradeAfterMs;
}

function conflictPolicyOf(onConflict: Config["onConflict"]): ConflictPolicy {
  return typeof onConflict === "string"
    ? { kind: onConflict }
    : { kind: "latest_wins", column: onConflict.latest_wins };
}

import * as postgres from "@lockstep/engine-postgres";
import { conflictPolicyOf, degradeAfterMsOf } from "../engine-settings.ts";
import type { Engine } from "./engine.ts";

export const POSTGRES: Engine = {
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

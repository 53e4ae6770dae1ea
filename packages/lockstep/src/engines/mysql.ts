import * as mysql from "@lockstep/engine-mysql";
import { conflictPolicyOf, degradeAfterMsOf } from "../engine-settings.ts";
import type { Engine } from "./engine.ts";

/** Both: which of them a server is, is told by its url, and by itself. */
export const MYSQL: Engine = {
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

export { comparePositions } from "./position.ts";
export { createPausable } from "./pausing.ts";
export type { DatabaseOptions } from "./command-session.ts";
export { createRemovablePrimary } from "./removal/primary.ts";
export { createRemovableReplica } from "./removal/replica.ts";
export { createPrimaryCheck } from "./setup-check/primary-check.ts";
export { createReplicaCheck } from "./setup-check/replica-check.ts";
export { createPostgresSink, type PostgresSinkOptions } from "./sink/sink.ts";
export { createPostgresSource, type PostgresSourceOptions } from "./source/source.ts";

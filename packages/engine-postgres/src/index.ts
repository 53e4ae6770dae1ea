export { comparePositions } from "./position.ts";
export { createPostgresSink, type PostgresSinkOptions } from "./sink/sink.ts";
export { createPostgresSource, type PostgresSourceOptions } from "./source/source.ts";

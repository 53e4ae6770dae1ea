export type { Flavour } from "./flavour.ts";
export { createMysqlSink, type MysqlSinkOptions } from "./sink/sink.ts";
export { MysqlSource, type MysqlSourceOptions } from "./source/source.ts";

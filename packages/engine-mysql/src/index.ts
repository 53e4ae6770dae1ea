export type { Flavour } from "./flavour.ts";
export { arrivalOf, type CommonArrival } from "./schema/arrival.ts";
export { MYSQL_TYPE_RULES, type Dialect } from "./schema/type-rules.ts";
export { createMysqlSink, type MysqlSinkOptions } from "./sink/sink.ts";
export { MysqlSource, type MysqlSourceOptions } from "./source/source.ts";

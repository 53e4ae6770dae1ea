export type { Flavour } from "./flavour.ts";
export { MysqlSource, type MysqlSourceOptions } from "./source/source.ts";

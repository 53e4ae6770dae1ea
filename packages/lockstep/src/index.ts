export { configSchema, type Config } from "./config-schema.ts";
export { loadConfig } from "./config.ts";

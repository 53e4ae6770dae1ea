export { configSchema, type Config } from "./config-schema.ts";
export type { StatusReport } from "./watching/status-report.ts";
export { statusSchema } from "./watching/status-schema.ts";
export { loadConfig } from "./config.ts";

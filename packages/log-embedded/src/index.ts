export { createRemovableEmbeddedLog } from "./removal.ts";
export { createEmbeddedLog, type EmbeddedLogOptions } from "./embedded-log.ts";
export { createEmbeddedCheck } from "./log-check.ts";

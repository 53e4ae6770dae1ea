export { createRemovableEmbeddedLog } from "./removal.ts";
export { createEmbeddedLog, type EmbeddedLogOptions } from "./embedded-log.ts";

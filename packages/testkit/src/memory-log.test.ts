import { MemoryTopic } from "./memory-log.ts";
import { eventLogSuite } from "./suites/event-log-suite.ts";

eventLogSuite("memory", async () => await Promise.resolve(new MemoryTopic()));

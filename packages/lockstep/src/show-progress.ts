import { actionOf, type EventLog, type Logger, type Offset } from "@lockstep/core";
import type { Pipeline } from "@lockstep/pipeline";

/** What a person sees as now, and no load. */
const INTERVAL_MS = 1_000;

/** Shows the log's own tools how far each replica is, whenever that has changed. Returns how to end it. */
export function showProgress(pipeline: Pipeline, log: EventLog, logger: Logger): () => void {
  const ended = new AbortController();
  const shown = new Map<string, Offset>();
  const underway = new Set<string>();
  const said = new Set<string>();
  const show = async (replica: string, offset: Offset): Promise<void> => {
    underway.add(replica);
    try {
      await log.showProgress(replica, offset, ended.signal);
      shown.set(replica, offset);
    } catch (error) {
      if (ended.signal.aborted) return;
      // What passes by itself is said by who needs the log; what a person must mend, such as a missing right, once.
      const isNews = actionOf(error) !== "retry" && !said.has(String(error));
      if (isNews) said.add(String(error));
      const say = isNews ? logger.warn.bind(logger) : logger.debug.bind(logger);
      say({ replica, err: error }, "the log's tools cannot be shown how far the replica is");
    } finally {
      underway.delete(replica);
    }
  };
  const timer = setInterval(() => {
    for (const [replica, { offset }] of Object.entries(pipeline.status.replicas)) {
      if (offset !== null && shown.get(replica) !== offset && !underway.has(replica))
        void show(replica, offset);
    }
  }, INTERVAL_MS);
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}

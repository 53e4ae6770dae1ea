import type { EventLog, Logger, Offset } from "@lockstep/core";
import type { Pipeline } from "@lockstep/pipeline";

const REPORT_INTERVAL_MS = 10_000;

/** Says now and then how far everything is, in the log and to the log's own tools. Returns how to end it. */
export function reportProgress(pipeline: Pipeline, log: EventLog, logger: Logger): () => void {
  const ended = new AbortController();
  const shown = new Map<string, Offset>();
  let transactions = 0;
  const timer = setInterval(() => {
    const status = pipeline.status;
    for (const [replica, { offset }] of Object.entries(status.replicas)) {
      if (offset === null || shown.get(replica) === offset) continue;
      shown.set(replica, offset);
      log.showProgress(replica, offset, ended.signal).catch((error: unknown) => {
        if (!ended.signal.aborted)
          logger.debug({ replica, err: error }, "the log's tools were not told of the progress");
      });
    }
    if (status.transactions === transactions) return;
    transactions = status.transactions;
    const replicas = Object.entries(status.replicas).map(
      ([name, { state, acked, eventsProcessed, conflicts }]) => ({
        name,
        state,
        acked,
        eventsProcessed,
        conflicts,
      }),
    );
    logger.info({ transactions, appended: status.appended, replicas }, "progress");
  }, REPORT_INTERVAL_MS);
  return () => {
    clearInterval(timer);
    ended.abort();
  };
}

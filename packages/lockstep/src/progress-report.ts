import type { Logger } from "@lockstep/core";
import type { Pipeline, PipelineStatus } from "@lockstep/pipeline";
import type { BottomLines } from "./bottom-lines.ts";
import { copyLine } from "./copy-line.ts";

const REPORT_INTERVAL_MS = 10_000;
const DRAW_INTERVAL_MS = 500;

/**
 * Says now and then how far everything is, if something has moved, also only on a replica: in the log, and copies on a terminal's last lines. Returns how to end
 * it.
 */
export function reportProgress(
  pipeline: Pick<Pipeline, "status">,
  { logger, bottom }: { readonly logger: Logger; readonly bottom?: BottomLines },
): () => void {
  const drawing =
    bottom === undefined
      ? undefined
      : setInterval(() => drawCopies(pipeline.status, bottom), DRAW_INTERVAL_MS);
  let moved = 0;
  const timer = setInterval(() => {
    const status = pipeline.status;
    if (bottom === undefined) logCopies(status, logger);
    const { transactions } = status.source;
    const movedNow = Object.values(status.replicas).reduce(
      (sum, one) => sum + one.eventsProcessed,
      transactions,
    );
    if (movedNow === moved) return;
    moved = movedNow;
    const replicas = Object.entries(status.replicas).map(
      ([name, { state, acked, eventsProcessed, conflicts }]) => ({
        name,
        state,
        acked,
        eventsProcessed,
        conflicts,
      }),
    );
    logger.info({ transactions, appended: status.source.position, replicas }, "progress");
  }, REPORT_INTERVAL_MS);
  return () => {
    clearInterval(timer);
    clearInterval(drawing);
    bottom?.show([]);
  };
}

function drawCopies({ replicas }: PipelineStatus, bottom: BottomLines): void {
  bottom.show(
    Object.entries(replicas).flatMap(([name, { copy }]) =>
      copy === null ? [] : [copyLine(name, copy, bottom.columns)],
    ),
  );
}

function logCopies({ replicas }: PipelineStatus, logger: Logger): void {
  for (const [replica, { copy }] of Object.entries(replicas)) {
    if (copy === null) continue;
    const { done, seconds, secondsLeft, ...counted } = copy;
    const percent = Math.floor(done * 100);
    const left = secondsLeft === null ? null : Math.ceil(secondsLeft);
    logger.info({ replica, percent, ...counted, seconds: Math.round(seconds), secondsLeft: left }, "copying");
  }
}

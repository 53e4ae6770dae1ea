import { setTimeout as sleep } from "node:timers/promises";
import type { EventLog, Logger, Offset } from "@lockstep/core";

/** Often enough that the log is never kept much longer than asked for, seldom enough to be no load. */
const MOST_INTERVAL_MS = 600_000;
const LEAST_INTERVAL_MS = 1_000;

export interface TrimmerOptions {
  readonly log: EventLog;
  readonly logger: Logger;
  /** What is older is forgotten. */
  readonly retentionMs: number;
  /** Never trimmed: from here on. */
  readonly keepFrom: () => Offset;
  /** How far each replica has acked; null when that is not known. */
  readonly acked: () => Readonly<Record<string, Offset | null>>;
  readonly nowMs?: () => number;
}

/**
 * Forgets what the log has kept for long enough. Retention beats a missing ack: a replica that was away for
 * longer must be copied anew (A2), and is named before that happens.
 */
export class Trimmer {
  readonly #options: TrimmerOptions;
  readonly #warned = new Set<string>();

  constructor(options: TrimmerOptions) {
    this.#options = options;
  }

  /** Until aborted; a failure is no fault: it is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { retentionMs, logger } = this.#options;
    const intervalMs = Math.min(MOST_INTERVAL_MS, Math.max(LEAST_INTERVAL_MS, retentionMs / 10));
    let reported = "";
    for (;;) {
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.trim(signal);
      } catch (error) {
        if (signal.aborted || String(error) === reported) continue;
        reported = String(error);
        logger.warn({ err: error }, "the log was not trimmed; trying again later");
      }
    }
  }

  /** Once. Returns the first offset that is kept. */
  async trim(signal: AbortSignal): Promise<Offset> {
    const { log, logger, retentionMs, keepFrom, nowMs = Date.now } = this.#options;
    const { first } = await log.bounds(signal);
    const aged = await log.offsetAt(nowMs() - retentionMs, signal);
    const keep = keepFrom();
    const before = aged < keep ? aged : keep;
    await this.#warnBefore(before, signal);
    if (before <= first) return first;
    await log.trim(before, signal);
    logger.info({ first, before }, "trimmed the log");
    return before;
  }

  /** Names who will lose what it needs: now, and when four fifths of the time are over. */
  async #warnBefore(before: Offset, signal: AbortSignal): Promise<void> {
    const { log, logger, retentionMs, acked, nowMs = Date.now } = this.#options;
    const soon = await log.offsetAt(nowMs() - retentionMs * 0.8, signal);
    for (const [replica, offset] of Object.entries(acked())) {
      const state =
        offset === null ? "unknown" : offset + 1n < before ? "lost" : offset + 1n < soon ? "late" : "well";
      const key = `${replica} ${state}`;
      if (state === "well") for (const other of ["lost", "late"]) this.#warned.delete(`${replica} ${other}`);
      if (state === "unknown" || state === "well" || this.#warned.has(key)) continue;
      this.#warned.add(key);
      if (state === "lost") logger.error({ replica, offset, before }, "a replica needs what is trimmed now");
      else logger.warn({ replica, offset }, "a replica will soon need what retention forgets");
    }
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import type { EventLog, Logger, Offset } from "@lockstep/core";

/** A bounded log that is fuller forgets what every replica has, however young. */
const TIGHT = 0.5;
/** Often enough that the log is never kept much longer than asked for, seldom enough to be no load. */
const MOST_INTERVAL_MS = 600_000;
const LEAST_INTERVAL_MS = 1_000;
/** What is written meanwhile is kept beyond the limit: at 20 MB a second, half a gigabyte. */
const BYTES_INTERVAL_MS = 30_000;
/** Who needs what will be forgotten when this much of the limit is left is warned. */
const WARN_AT = 0.8;

/** So long replicas that are away may keep the others' log from being trimmed, after a start. */
const READ_FIRST_MS = 10_000;

export interface TrimmerOptions {
  readonly log: EventLog;
  readonly logger: Logger;
  /** What is older is forgotten. */
  readonly retentionMs: number;
  /** What is beyond is forgotten too, the oldest first; null for no limit. */
  readonly retentionBytes: number | null;
  /** Never trimmed: from here on. */
  readonly keepFrom: () => Offset;
  /** The offset in each replica's row, where a restart reads on; null when that is not known. */
  readonly stored: () => Readonly<Record<string, Offset | null>>;
  /** Every replica has been read, and has said what of the log it needs for its copies. */
  readonly areNeedsKnown?: () => boolean;
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
    const { retentionMs, retentionBytes, logger } = this.#options;
    const mostMs = retentionBytes === null ? MOST_INTERVAL_MS : BYTES_INTERVAL_MS;
    const seldomMs = Math.min(mostMs, Math.max(LEAST_INTERVAL_MS, retentionMs / 10));
    const startedMs = performance.now();
    let reported = "";
    for (;;) {
      const isBounded = (await this.#options.log.usage(signal).catch(() => null)) !== null;
      const intervalMs = isBounded ? LEAST_INTERVAL_MS : seldomMs;
      await sleep(intervalMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const { areNeedsKnown = () => true } = this.#options;
      if (!areNeedsKnown() && performance.now() - startedMs < READ_FIRST_MS) continue;
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
    const { log, logger, keepFrom } = this.#options;
    const { first } = await log.bounds(signal);
    const retained = await this.#retained(1, signal);
    const isTight = ((await log.usage(signal)) ?? 0) > TIGHT;
    const done = isTight ? this.#storedByAll() : null;
    const wanted = done === null ? retained : later(done, retained);
    await this.#warnBefore(earlier(wanted, keepFrom()), signal);
    // Asked last of all: what is needed may have been said just now.
    const before = earlier(wanted, keepFrom());
    if (before <= first) return first;
    await log.trim(before, signal);
    logger.info({ first, before }, "trimmed the log");
    return before;
  }

  /** The first entry that is within a part of both limits, of time and of bytes. */
  async #retained(part: number, signal: AbortSignal): Promise<Offset> {
    const { log, retentionMs, retentionBytes, nowMs = Date.now } = this.#options;
    const aged = await log.offsetAt(nowMs() - retentionMs * part, signal);
    return retentionBytes === null
      ? aged
      : later(aged, await log.offsetOfLast(retentionBytes * part, signal));
  }

  /** What every replica has in its row; null while one's is not known. */
  #storedByAll(): Offset | null {
    let least: Offset | null = null;
    for (const offset of Object.values(this.#options.stored())) {
      if (offset === null) return null;
      if (least === null || offset < least) least = offset;
    }
    return least;
  }

  /** Names who will lose what it needs: now, and when four fifths of the time or of the bytes are over. */
  async #warnBefore(before: Offset, signal: AbortSignal): Promise<void> {
    const { logger, stored } = this.#options;
    const soon = await this.#retained(WARN_AT, signal);
    for (const [replica, offset] of Object.entries(stored())) {
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

function later(left: Offset, right: Offset): Offset {
  return left > right ? left : right;
}

function earlier(left: Offset, right: Offset): Offset {
  return left < right ? left : right;
}

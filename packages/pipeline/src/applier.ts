import {
  Backoff,
  hasCode,
  offset,
  retry,
  type ComparePositions,
  type Epoch,
  type EventLog,
  type Failpoints,
  type Logger,
  type Offset,
  type Position,
  type Progress,
  type Sink,
  type SinkSession,
} from "@lockstep/core";
import { Follower } from "./follower.ts";
import { cannotBegin, epochConflict } from "./history-errors.ts";
import { locate } from "./locate.ts";
import type { LogTail } from "./log-tail.ts";

/** How often a replica whose tables do not fit is looked at. */
const LOOK_AGAIN = { firstDelayMs: 4_000, maxDelayMs: 4_000 };

export interface ApplierOptions {
  readonly sink: Sink;
  readonly log: EventLog;
  readonly tail: LogTail;
  readonly epoch: Epoch;
  readonly compare: ComparePositions;
  /** The owner under which the replica is claimed. */
  readonly owner: string;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  /** Aborted a little after `signal`: what is in hand may finish until then. */
  readonly hardSignal: AbortSignal;
  /** What must change on the replica before it goes on, which it then does by itself. */
  onHalted(error: unknown): void;
  onAcked(reached: Reached, applied: { readonly events: number; readonly conflicts: number }): void;
}

/** How far a replica is. */
export interface Reached {
  readonly position: Position;
  readonly offset: Offset;
  /** The offset that its row has: a restart reads on from there. */
  readonly stored: Offset;
}

/** Brings one replica along the topic. Errors that pass are waited out; others end it, and with it only this replica. */
export class Applier {
  readonly #options: ApplierOptions;
  #hasClaimed = false;

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  /** Resolves when aborted, after a clean stop; rejects with what halts the replica. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger, sink } = this.#options;
    const onRetry = (error: unknown, attempt: number): void => {
      if (attempt === 1 || attempt % 30 === 0)
        logger.warn({ replica: sink.replica, err: error }, "replica interrupted; going on");
    };
    while (!signal.aborted) {
      try {
        await retry(() => this.#session(signal), { onRetry }, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!hasCode(error, "schema-mismatch")) throw error;
        this.#options.onHalted(error);
        await new Backoff(LOOK_AGAIN).wait(signal).catch(() => undefined);
      }
    }
  }

  /** One claim of the replica. */
  async #session(signal: AbortSignal): Promise<void> {
    const { sink, owner, logger, log, compare } = this.#options;
    await using session = await sink.claim(owner, !this.#hasClaimed, signal);
    this.#hasClaimed = true;
    const progress = session.progress ?? (await this.#begin(session, signal));
    this.#checkEpoch(progress);
    const { at, open } = await locate(log, progress, compare, signal);
    logger.info({ replica: sink.replica, position: progress.position, offset: String(at) }, "following");
    const { position, offset: stored } = progress;
    this.#options.onAcked({ position, offset: stored, stored }, { events: 0, conflicts: 0 });
    const follower = new Follower(this.#options, session, progress, open);
    await follower.run(at, signal);
  }

  /** The explicit first step: only from a topic that still has everything, and only onto empty tables. */
  async #begin(session: SinkSession, signal: AbortSignal): Promise<Progress> {
    const { epoch, log } = this.#options;
    const { first } = await log.bounds(signal);
    if (first > 0n || epoch.former.length > 0) throw cannotBegin(this.#options.sink.replica);
    const progress = {
      epoch: { number: epoch.number, id: epoch.id },
      position: epoch.start,
      offset: offset(0),
      open: offset(0),
      run: "",
    };
    await session.createProgress(progress, epoch.emptyTables, signal);
    return progress;
  }

  #checkEpoch({ epoch }: Progress): void {
    const own = this.#options.epoch;
    const isConflict = epoch.number > own.number || (epoch.number === own.number && epoch.id !== own.id);
    if (isConflict) throw epochConflict(this.#options.sink.replica, epoch, own);
  }
}

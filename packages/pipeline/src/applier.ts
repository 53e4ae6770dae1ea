import {
  find,
  nextStep,
  offset,
  ReplicationError,
  retry,
  type ChainState,
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
import type { DecodedEntry } from "./decoded-entry.ts";
import { locate } from "./locate.ts";
import type { LogTail } from "./log-tail.ts";
import { Window } from "./window.ts";

/** Progress that moved without data is stored this often, and on a clean stop. */
const SAVE_INTERVAL_MS = 60_000;

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
  onAcked(
    position: Position,
    at: Offset,
    applied: { readonly events: number; readonly conflicts: number },
  ): void;
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
        throw error;
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
    this.#options.onAcked(progress.position, progress.offset, { events: 0, conflicts: 0 });
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

/** The loop of one session: read, decide by the chain's rules, apply, ack. */
class Follower {
  readonly #options: ApplierOptions;
  readonly #session: SinkSession;
  readonly #window: Window;
  #state: ChainState;
  /** What `apply` or `saveProgress` stored last. */
  #stored: Progress;
  /** Where the topic has brought the replica: stored, or moved further without data. */
  #reached: Progress;
  #savedMs = performance.now();
  #isFound = false;

  constructor(options: ApplierOptions, session: SinkSession, progress: Progress, open: Offset | null) {
    this.#options = options;
    this.#session = session;
    this.#window = new Window(options.compare);
    this.#stored = progress;
    this.#reached = progress;
    this.#state = { epoch: progress.epoch, position: progress.position, open, begin: null };
  }

  async run(from: Offset, signal: AbortSignal): Promise<void> {
    try {
      for (let at = from; ;) {
        const chunk = await this.#options.tail.read(at, signal);
        at = (await this.#take(chunk.entries, signal)) ?? chunk.next;
        await this.#saveIfDue();
      }
    } catch (error) {
      if (!signal.aborted || this.#options.hardSignal.aborted) throw error;
      await this.#save(); // A clean stop.
    }
  }

  /** Applies entries in order. Returns where to go on instead when the topic has to be searched. */
  async #take(entries: readonly DecodedEntry[], signal: AbortSignal): Promise<Offset | null> {
    for (const entry of entries) {
      const step = nextStep(this.#state, entry.offset, entry.headers, this.#options.compare);
      switch (step.kind) {
        case "drop":
          break;
        case "apply":
          this.#collect(entry);
          this.#moveTo(step.state, entry);
          if (this.#window.isFull) await this.#apply();
          break;
        case "pass":
          this.#moveTo(step.state, entry);
          break;
        case "gap":
          await this.#apply();
          return await this.#search(step.previous, signal);
        case "conflict":
          throw epochConflict(this.#options.sink.replica, this.#state.epoch, step.epoch ?? this.#state.epoch);
      }
      if (signal.aborted) break;
    }
    await this.#apply();
    return null;
  }

  #collect(entry: DecodedEntry): void {
    if (entry.headers.kind !== "transactions") {
      throw new ReplicationError("codec-unknown", `a ${entry.headers.kind} record needs a newer lockstep`, {
        fix: "run the version of lockstep that wrote the topic, or a newer one",
      });
    }
    this.#window.add(entry, this.#state.position);
  }

  #moveTo(state: ChainState, { offset: at, headers }: DecodedEntry): void {
    this.#state = state;
    if (headers.position !== state.position) return;
    this.#isFound = false;
    const { epoch, position } = state;
    this.#reached = { epoch, position, offset: at, open: headers.open ?? at, run: headers.run };
  }

  async #apply(): Promise<void> {
    const { hardSignal, failpoints } = this.#options;
    if (this.#window.isEmpty) {
      if (this.#reached !== this.#stored) this.#ack({ events: 0, conflicts: 0 });
      return;
    }
    const result = await this.#session.apply(this.#window.take(this.#reached), hardSignal);
    failpoints?.hit("committed");
    this.#stored = this.#reached;
    this.#savedMs = performance.now();
    this.#ack(result);
  }

  /** A1: durable in the replica, or nothing to be made durable. */
  #ack(applied: { readonly events: number; readonly conflicts: number }): void {
    this.#options.onAcked(this.#reached.position, this.#reached.offset, applied);
  }

  async #saveIfDue(): Promise<void> {
    if (performance.now() - this.#savedMs > SAVE_INTERVAL_MS) await this.#save();
  }

  async #save(): Promise<void> {
    this.#savedMs = performance.now();
    if (this.#reached === this.#stored || this.#reached.position === this.#stored.position) return;
    await this.#session.saveProgress(this.#reached, this.#options.hardSignal);
    this.#stored = this.#reached;
  }

  /** A2: offsets can shift when a broker loses its tail, so look for the position before calling it a gap. */
  async #search(previous: Position | null, signal: AbortSignal): Promise<Offset> {
    const { log, compare, sink } = this.#options;
    if (this.#isFound) {
      const { first } = await log.bounds(signal);
      throw historyGap(sink.replica, this.#state.position, previous, first);
    }
    this.#isFound = true;
    this.#state = { ...this.#state, open: null, begin: null };
    return await find(log, this.#state, compare, signal);
  }
}

function historyGap(
  replica: string,
  position: Position,
  previous: Position | null,
  first: Offset,
): ReplicationError {
  const why = first > 0n ? `the log was trimmed up to offset ${first}` : "the log lost a part of it";
  return new ReplicationError(
    "history-gap",
    `replica ${replica} is at ${position}, and the log goes on only from ${previous ?? "another epoch"}: ${why}`,
    {
      fix: `empty the replica's tables and its row in lockstep.progress, and copy it anew`,
      fields: { replica, position, previous, first },
    },
  );
}

function cannotBegin(replica: string): ReplicationError {
  return new ReplicationError(
    "history-gap",
    `replica ${replica} has no progress, and the log no longer has the beginning`,
    {
      fix: "restore the replica with its schema lockstep, or copy it anew",
      fields: { replica },
    },
  );
}

function epochConflict(
  replica: string,
  own: { number: number; id: string },
  other: { number: number; id: string },
): ReplicationError {
  return new ReplicationError(
    "epoch-conflict",
    `replica ${replica} follows epoch ${own.number}:${own.id}, but the log is of epoch ${other.number}:${other.id}`,
    {
      fix: "connect the replica to the pipeline it belongs to, or empty it and copy it anew",
      fields: { replica },
    },
  );
}

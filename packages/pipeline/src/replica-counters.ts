import { hasCode, includes, type ComparePositions, type Offset, type Position } from "@lockstep/core";
import type { Applied, Reached } from "./applier-options.ts";
import type { CopyStatus } from "./copy-progress.ts";
import { DecayingMean } from "./decaying-mean.ts";
import type { LeftOut, ReplicaObserver } from "./replica-observer.ts";
import type { SourceCounters } from "./source-counters.ts";
import type { StageObserver } from "./stage.ts";
import type { ReplicaStatus } from "./status.ts";

/** A change that the replica does not take. */
const CHANGE_FAILED = ["apply-refused", "conflict-halted", "row-incomplete", "schema-mismatch"] as const;

/** What one replica has done, and how far behind it is. */
export class ReplicaCounters implements ReplicaObserver {
  readonly #source: SourceCounters;
  readonly #compare: ComparePositions;
  readonly #onStage: StageObserver;
  readonly #lag = new DecayingMean();
  #state: ReplicaStatus["state"] = "waiting";
  #lost: AbortSignal | null = null;
  #copy: CopyStatus | null = null;
  #reached: Reached | null = null;
  /** When the oldest transaction in hand, and the last applied one, were committed. */
  #takenUs: number | null = null;
  #committedAtUs: number | null = null;
  #counted = { eventsProcessed: 0, eventsFailed: 0, conflicts: 0 };
  #error: unknown = null;
  #leftOut: LeftOut | null = null;
  /** What halted it, until it goes on. */
  #haltedBy: string | null = null;
  /** Where a change stands that it did not take: it is beyond that once it goes on. */
  #refusedAt: Position | null = null;

  constructor(source: SourceCounters, compare: ComparePositions, onStage: StageObserver) {
    this.#source = source;
    this.#compare = compare;
    this.#onStage = onStage;
  }

  linked(lost: AbortSignal | null): void {
    this.#lost = lost;
  }

  interrupted(error: unknown): void {
    if (this.#haltedBy === null) this.#error = error;
  }

  taken(committedAtUs: number): void {
    this.#takenUs = committedAtUs;
  }

  applied(ms: number): void {
    this.#onStage("apply", ms);
  }

  left(out: LeftOut | null): void {
    this.#leftOut = out;
  }

  joined({ events, conflicts }: Applied): void {
    this.#counted.eventsProcessed += events;
    this.#counted.conflicts += conflicts;
  }

  acked(reached: Reached, { events, conflicts, committedAtUs = null }: Applied): void {
    this.#reached = reached;
    // It was looked at again, and has not got to the change yet.
    const isBefore = this.#refusedAt !== null && includes(this.#compare, this.#refusedAt, reached.position);
    if (events === 0 && isBefore) return;
    this.#state = reached.isWhole ? "following" : "copying";
    this.#error = null;
    this.#haltedBy = null;
    this.#refusedAt = null;
    this.joined({ events, conflicts });
    if (committedAtUs === null) return;
    this.#takenUs = null;
    this.#committedAtUs = committedAtUs;
    const nowUs = this.#source.nowUs;
    if (nowUs === null) return;
    const lagMs = Math.max(0, nowUs - committedAtUs) / 1_000;
    this.#lag.add(lagMs, performance.now());
    this.#onStage("ack", lagMs);
  }

  copying(copy: CopyStatus | null): void {
    if (copy !== null && this.#reached === null) this.#state = "copying";
    this.#copy = copy;
  }

  /** Returns whether this is news. */
  halted(error: unknown): boolean {
    const isNews = this.#haltedBy !== String(error);
    this.#haltedBy = String(error);
    const isRefused = hasCode(error, ...CHANGE_FAILED);
    if (isNews && isRefused) this.#counted.eventsFailed += 1;
    this.#refusedAt = isRefused ? (this.#reached?.position ?? null) : null;
    this.#state = hasCode(error, "replica-paused") ? "paused" : "halted";
    this.#error = error;
    return isNews;
  }

  /** This run has given the source up: others move the replica now. */
  stoodDown(): void {
    this.#lost = null;
    this.#reached = null;
    this.#takenUs = null;
    this.#committedAtUs = null;
    this.#copy = null;
    this.#leftOut = null;
    this.#refusedAt = null;
    this.#state = "waiting";
  }

  get status(): ReplicaStatus {
    const isConnected = this.#lost?.aborted === false;
    const reached = this.#reached;
    const hasAll = this.#hasAll(reached);
    const { end } = this.#source;
    return {
      state: isConnected || this.#haltedBy !== null ? this.#state : "waiting",
      isConnected,
      copy: this.#copy,
      acked: reached?.position ?? null,
      offset: reached === null ? null : offsetOf(reached, hasAll ? end : null),
      stored: reached?.stored ?? null,
      queueSize: reached === null || end === null ? null : hasAll ? 0 : Number(end - reached.offset),
      lagMs: this.#lagMs(reached, hasAll),
      averageLagMs: this.#lag.value,
      ...this.#counted,
      error: this.#error,
      leftOut: this.#leftOut,
    };
  }

  /** Of what is in the topic. */
  #hasAll(reached: Reached | null): boolean {
    const { position, isWithinPieces } = this.#source;
    return (
      reached !== null &&
      position !== null &&
      !isWithinPieces &&
      includes(this.#compare, reached.position, position)
    );
  }

  #lagMs(reached: Reached | null, hasAll: boolean): number | null {
    if (reached === null) return null;
    const sinceUs = hasAll ? this.#source.unpublishedSinceUs : this.#oldestUs(reached);
    if (sinceUs === null) return hasAll ? 0 : null;
    const { nowUs } = this.#source;
    return nowUs === null ? null : Math.max(0, nowUs - sinceUs) / 1_000;
  }

  /** When the oldest transaction in the topic that it does not have was committed; never later than that. */
  #oldestUs({ offset, position }: Reached): number | null {
    const { begun, times } = this.#source;
    // Who had all that was there when this run began lacks nothing that lies before its `open`.
    const hadAll = begun !== null && begun.open > offset && includes(this.#compare, position, begun.position);
    const known = times.oldestBehind(hadAll ? begun.open : offset);
    return known ?? this.#takenUs ?? this.#committedAtUs;
  }
}

/** Entries behind the last one with a position hold nothing to apply. */
function offsetOf({ offset }: Reached, end: Offset | null): Offset {
  return end !== null && end > offset ? end : offset;
}

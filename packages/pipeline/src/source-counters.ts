import type { Offset, Position, RetainedLog, SourceSession } from "@lockstep/core";
import { AppendedTimes } from "./appended-times.ts";
import type { AppendedRecord } from "./record-content.ts";
import type { SourceStatus } from "./status.ts";

/** What is asked of a publisher while it lives. */
interface Pending {
  /** When the oldest transaction was committed that has arrived and is not, or not entirely, in the topic; null: none. */
  readonly pendingSinceUs: number | null;
  /** The topic ends within a large transaction. */
  readonly isWithinPieces: boolean;
  /** Why the log takes nothing now, or null. */
  readonly obstacle: unknown;
}

interface Begun {
  readonly position: Position;
  readonly open: Offset;
}

type Clock = Pick<SourceSession, "nowUs" | "retained" | "gate">;

/** What is known of the source and of the topic's end. */
export class SourceCounters {
  #times = new AppendedTimes();
  #session: Clock | null = null;
  #publisher: Pending | null = null;
  /** The source's clock when it was last there, and ours. */
  #last: { readonly sourceUs: number; readonly ourMs: number } | null = null;
  #retained: RetainedLog | null = null;
  #position: Position | null = null;
  #end: Offset | null = null;
  #begun: Begun | null = null;
  #counted = { transactions: 0, events: 0, records: 0 };
  error: unknown = null;
  /** Why the log could not be read when it was last asked, or null. */
  unreadable: unknown = null;

  /** This run publishes; the topic ends with its `open` record. */
  begin(session: Clock, publisher: Pending, position: Position, open: Offset): void {
    this.#session = session;
    this.#publisher = publisher;
    this.#position = position;
    this.#end = open;
    this.error = null;
    this.#begun ??= { position, open };
    this.#times.begin(open);
  }

  lost(error: unknown): void {
    const nowUs = this.nowUs;
    this.#retained = this.#heldBack;
    this.#last = nowUs === null ? null : { sourceUs: nowUs, ourMs: performance.now() };
    this.#session = null;
    this.#publisher = null;
    this.error = error;
  }

  record({ offset, transactions, events, committedAtUs }: AppendedRecord): void {
    this.#end = offset;
    this.unreadable = null;
    this.#counted.transactions += transactions;
    this.#counted.events += events;
    this.#counted.records += 1;
    if (committedAtUs !== null) this.#times.add({ offset, committedAtUs, appendedMs: performance.now() });
  }

  reached(position: Position): void {
    this.#position = position;
  }

  /** Another run appends from now on. */
  stoodDown(): void {
    this.#times = new AppendedTimes();
    this.#position = null;
    this.#end = null;
    this.#begun = null;
    this.#last = null;
    this.unreadable = null;
  }

  get times(): AppendedTimes {
    return this.#times;
  }

  get position(): Position | null {
    return this.#position;
  }

  /** The topic's last entry. */
  get end(): Offset | null {
    return this.#end;
  }

  /** Where this run took the topic over. */
  get begun(): Begun | null {
    return this.#begun;
  }

  get isWithinPieces(): boolean {
    return this.#publisher?.isWithinPieces === true;
  }

  /** The source's clock, gone on since it was last heard. */
  get nowUs(): number | null {
    if (this.#session !== null) return this.#session.nowUs;
    return this.#last === null ? null : this.#last.sourceUs + (performance.now() - this.#last.ourMs) * 1_000;
  }

  /**
   * Since when, by its clock, there may be commits that are not in the topic: of what has arrived exactly, and
   * everything since we lost it. Null: nothing.
   */
  get unpublishedSinceUs(): number | null {
    if (this.#session === null) return this.#last?.sourceUs ?? null;
    return this.#publisher?.pendingSinceUs ?? null;
  }

  get #heldBack(): RetainedLog | null {
    return this.#session?.retained ?? this.#retained;
  }

  get status(): SourceStatus {
    return {
      isConnected: this.#session !== null,
      position: this.#position,
      ...this.#counted,
      retained: this.#heldBack,
      gate: this.#session?.gate ?? null,
      error: this.error ?? this.#publisher?.obstacle ?? this.unreadable,
    };
  }
}

import {
  Arrivals,
  includes,
  tablesNamed,
  unreachable,
  type LogRecord,
  type Offset,
  type Position,
  type RecordStamp,
  type SourcePiece,
} from "@lockstep/core";
import { AppendDistance } from "./append-distance.ts";
import { Appender } from "./appender.ts";
import { Gathered, type Taken, type TakenTransactions } from "./gathered.ts";
import type { PublisherOptions } from "./publisher-options.ts";
import { holdsEvents } from "./record-content.ts";
import { ReRead } from "./re-read.ts";
import type { ReachedPosition } from "./topic-history.ts";

/**
 * Of the source's log; a record is up to twice as long. Of this size it costs the log a fifth of what many small ones
 * do, and a broker half of what one above 512 KiB does, which its Java machine keeps as a large object (measured).
 */
const RECORD_BYTES = 256 * 1024;
/** Above this the source is not pulled. */
const MAX_GATHERED_BYTES = 2 * 1024 * 1024;
/** So far behind, a full record is waited for, … */
const BEHIND_MS = 100;
/** … but not longer than this. */
const FILL_WAIT_MS = 20;

/**
 * Appends what the source streams: while an append is in flight, what arrives is gathered and becomes the
 * next record. One life; ends only by rejecting.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #gathered = new Gathered();
  #stamp: RecordStamp;
  #reached: ReachedPosition;
  #keepFrom: Offset;
  readonly #appender: Appender;
  /** How much was appended before the last `open`. */
  #bytesBeforeOpen = 0;
  #openedMs = performance.now();
  #appendedMs = performance.now();
  /** The `begin` of the large transaction whose pieces are being appended: nothing may come between them. */
  #begin: Offset | null = null;
  /** When the oldest transaction that is being appended was committed. */
  #appendingSinceUs: number | null = null;
  #wanted: Position | null = null;
  readonly #distance = new AppendDistance();
  readonly #arrived = new Arrivals();
  readonly #called = new Arrivals();
  #onRoom: (() => void) | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#stamp = { epoch: options.epoch, run: options.run, open: options.open };
    this.#reached = options.reached;
    this.#keepFrom = options.keepFrom;
    this.#appender = new Appender(options, options.open);
  }

  /** Somebody waits for the topic to reach a position: an idle record carries it there without delay. */
  want(position: Position): void {
    this.#wanted = position;
    this.#arrived.announce();
    this.#called.announce();
  }

  /** What must never be trimmed: from the `open` of the newest record that has a position. */
  get keepFrom(): Offset {
    return this.#keepFrom;
  }

  /** When the oldest transaction was committed that has arrived and is not, or not entirely, in the topic; null: none. */
  get pendingSinceUs(): number | null {
    return this.#appendingSinceUs ?? this.#gathered.sinceUs;
  }

  /** Why the log does not take what is appended, as far as it says. */
  get obstacle(): unknown {
    return this.#options.log.obstacle;
  }

  /** The topic ends within a large transaction. */
  get isWithinPieces(): boolean {
    return this.#begin !== null;
  }

  async run(signal: AbortSignal): Promise<never> {
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    try {
      return await Promise.race([this.#gather(both), this.#append(both)]);
    } finally {
      ended.abort();
      this.#onRoom?.();
    }
  }

  async #gather(signal: AbortSignal): Promise<never> {
    const { session, topic, epoch, compare, logger, selections, onAppended, onStage } = this.#options;
    const reached = this.#reached.position;
    const written = { epoch, reached, selections };
    const reRead = new ReRead({ log: topic, compare, start: session.start, ...written, logger }, signal);
    if (reRead.isOver) onAppended(reached); // P1: it is in the topic, whoever appended it.
    const stream = session.stream(signal)[Symbol.asyncIterator]();
    for (;;) {
      const wasOver = reRead.isOver;
      const next = await stream.next();
      if (next.done === true) throw new TypeError("a source's stream never ends by itself");
      const batch = await reRead.without(next.value);
      if (reRead.isOver && !wasOver) onAppended(reached);
      if (holdsEvents(next.value)) onStage("decode", next.value.decodeMs);
      if (batch !== null) this.#gathered.add(batch);
      this.#arrived.announce();
      while (this.#gathered.bytes > MAX_GATHERED_BYTES) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => (this.#onRoom = resolve));
      }
    }
  }

  async #append(signal: AbortSignal): Promise<never> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#isRenewalDue()) await this.#renew(signal);
      else if (this.#isReopenDue()) await this.#reopen(signal);
      await this.#waitForFullRecord(signal);
      await this.#keepDistance(signal);
      const taken = this.#gathered.take(RECORD_BYTES);
      this.#onRoom?.();
      if (taken !== null) await this.#appendTaken(taken, signal);
      else if (this.#isIdleDue()) await this.#appendIdle(signal);
      else await this.#waitForMore(signal);
    }
  }

  async #appendTaken(taken: Taken, signal: AbortSignal): Promise<void> {
    switch (taken.kind) {
      case "transactions":
        return await this.#appendTransactions(taken, signal);
      case "begin":
      case "middle":
      case "end":
        return await this.#appendPiece(taken, signal);
      default:
        return unreachable(taken);
    }
  }

  async #appendPiece(piece: SourcePiece, signal: AbortSignal): Promise<void> {
    const { events } = piece;
    const tables = tablesNamed(piece.tables, [piece]);
    const previous = this.#reached.position;
    if (piece.kind === "begin") {
      const { xid, commitStart } = piece;
      this.#appendingSinceUs = piece.committedAtUs;
      this.#begin = await this.#put({ kind: "begin", tables, events, xid, commitStart, previous }, signal);
      return this.#options.failpoints?.hit("piece-appended");
    }
    const begin = this.#begin;
    if (begin === null) throw new TypeError(`a ${piece.kind} piece came without its begin`);
    if (piece.kind === "middle") {
      await this.#put({ kind: "middle", tables, events, begin }, signal);
      return this.#options.failpoints?.hit("piece-appended");
    }
    const reached = { position: piece.last.position, last: piece.last };
    await this.#put({ kind: "end", tables, events, begin, previous, ...reached }, signal);
    this.#begin = null;
    this.#moveTo(reached);
  }

  async #appendTransactions(taken: TakenTransactions, signal: AbortSignal): Promise<void> {
    const [first, ...rest] = taken.transactions;
    if (first === undefined) return;
    const last = rest.at(-1) ?? first;
    const { position, xid, committedAtUs } = last;
    const reached = { position, last: { position, xid, committedAtUs } };
    this.#appendingSinceUs = first.committedAtUs;
    this.#distance.begin(taken.transactions.length);
    await this.#put(
      {
        kind: "transactions",
        tables: tablesNamed(taken.tables, taken.transactions),
        transactions: [first, ...rest],
        previous: this.#reached.position,
        ...reached,
      },
      signal,
    );
    this.#moveTo(reached);
  }

  async #appendIdle(signal: AbortSignal): Promise<void> {
    const source = this.#gathered.position;
    const position = source !== null && this.#isAhead(source) ? source : this.#reached.position;
    const reached = { position, last: this.#reached.last };
    this.#gathered.settle();
    await this.#put({ kind: "idle", previous: this.#reached.position, ...reached }, signal);
    this.#moveTo(reached);
  }

  #moveTo(reached: ReachedPosition): void {
    this.#reached = reached;
    this.#appendingSinceUs = null;
    if (this.#stamp.open !== null) this.#keepFrom = this.#stamp.open;
    this.#appendedMs = performance.now();
    this.#options.failpoints?.hit("appended");
    this.#options.onAppended(reached.position); // P1: the append resolved
  }

  async #put(record: LogRecord, signal: AbortSignal): Promise<Offset> {
    return await this.#appender.append(record, this.#stamp, this.#appendingSinceUs, signal);
  }

  /** Only between appends, and only while the source's lock is proved to be ours. */
  async #renew(signal: AbortSignal): Promise<void> {
    await this.#options.session.proveLock(signal);
    await this.#options.log.renew(signal);
    await this.#reopen(signal);
    this.#openedMs = performance.now();
  }

  /** Repeats the whole epoch. */
  async #reopen(signal: AbortSignal): Promise<void> {
    this.#stamp = { ...this.#stamp, open: null };
    const { epoch, selections } = this.#options;
    const open = await this.#put({ kind: "open", epoch, selections }, signal);
    this.#stamp = { ...this.#stamp, open };
    this.#bytesBeforeOpen = this.#appender.bytes;
  }

  #isRenewalDue(): boolean {
    return this.#begin === null && performance.now() - this.#openedMs > this.#options.times.renewMs;
  }

  #isReopenDue(): boolean {
    const { reopenBytes } = this.#options;
    return (
      this.#begin === null &&
      reopenBytes !== null &&
      this.#appender.bytes - this.#bytesBeforeOpen > reopenBytes
    );
  }

  #isIdleDue(): boolean {
    if (this.#begin !== null) return false; // It would cut the large transaction off.
    const { idleMs, heartbeatMs } = this.#options.times;
    const { position, isUrgent } = this.#gathered;
    const sinceMs = performance.now() - this.#appendedMs;
    if (position === null || !this.#isAhead(position)) return sinceMs >= heartbeatMs;
    return isUrgent || this.#isWanted(position) || sinceMs >= idleMs;
  }

  /** The source has passed what somebody waits for, and the topic has not. */
  #isWanted(position: Position): boolean {
    const { compare } = this.#options;
    const wanted = this.#wanted;
    return wanted !== null && this.#isAhead(wanted) && includes(compare, position, wanted);
  }

  #isAhead(position: Position): boolean {
    return !includes(this.#options.compare, this.#reached.position, position);
  }

  async #waitForFullRecord(signal: AbortSignal): Promise<void> {
    const gathered = this.#gathered;
    if (gathered.isEmpty || gathered.lagMs < BEHIND_MS) return;
    await this.#options.paced(signal);
    const untilMs = performance.now() + FILL_WAIT_MS;
    while (gathered.bytes < RECORD_BYTES && performance.now() < untilMs) {
      await this.#more(untilMs - performance.now(), signal);
    }
  }

  async #keepDistance(signal: AbortSignal): Promise<void> {
    while (!this.#gathered.isEmpty) {
      const leftMs = this.#distance.leftMs(this.#isAwaited());
      if (leftMs <= 0) return;
      await this.#called.next(leftMs, signal);
    }
  }

  /** A commit, an applier or a caller waits for what is gathered. */
  #isAwaited(): boolean {
    const { gate } = this.#options.session;
    const isGated = gate !== null && gate.state !== "off";
    return isGated || (this.#wanted !== null && this.#isAhead(this.#wanted));
  }

  async #waitForMore(signal: AbortSignal): Promise<void> {
    const { idleMs, heartbeatMs } = this.#options.times;
    if (this.#begin !== null) return await this.#more(heartbeatMs, signal); // Nothing else is due before its end.
    const position = this.#gathered.position;
    const dueMs = position !== null && this.#isAhead(position) ? idleMs : heartbeatMs;
    await this.#more(this.#appendedMs + dueMs - performance.now(), signal);
  }

  /** Resolves when something arrived, or after `maxMs`. */
  async #more(maxMs: number, signal: AbortSignal): Promise<void> {
    await this.#arrived.next(Math.max(0, maxMs), signal);
  }
}

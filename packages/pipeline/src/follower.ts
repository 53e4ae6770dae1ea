import {
  Deferred,
  find,
  hasCode,
  includes,
  nextStep,
  NotAppended,
  tableKey,
  type ApplyResult,
  type ChainState,
  type Offset,
  type Position,
  type Progress,
  type SinkSession,
  type Table,
} from "@lockstep/core";
import type { Applied, ApplierOptions } from "./applier-options.ts";
import { placeOf, placeOfPieces, type CarriedTables } from "./carried-tables.ts";
import type { DecodedChunk, DecodedEntry } from "./decoded-entry.ts";
import { epochConflict, historyGap } from "./history-errors.ts";
import type { Takes } from "./handed-over.ts";
import { PieceApplier } from "./piece-applier.ts";
import { Window } from "./window.ts";

/** Progress that moved without data is stored this often, and on a clean stop. */
const SAVE_INTERVAL_MS = 60_000;
/** So long a target transaction is kept open for its append, and with it the rows that it changes. */
const MAX_APPENDING_MS = 1_000;

export interface FollowerOptions extends Pick<
  ApplierOptions,
  "sink" | "log" | "tail" | "compare" | "failpoints" | "hardSignal" | "onAcked" | "observer"
> {
  readonly session: FollowedSession;
  readonly progress: Progress;
  /** The highest `open` known to lie below; null when that is forgotten. */
  readonly open: Offset | null;
  readonly carried: CarriedTables;
  /** `appending`: what is being appended is applied meanwhile, and committed after that (P1). */
  readonly takes: Takes;
  /** Asked between records: true ends the run, with everything applied and stored. */
  readonly isEnough: (position: Position) => boolean;
  /** A record names tables that the replica does not know; afterwards it is looked at again. */
  readonly onUnknown: (tables: readonly Table[]) => Promise<CarriedTables>;
  /** A record says that these are other tables now, or have other rows; afterwards it is looked at again. */
  readonly onAnew: (tables: readonly Table[]) => Promise<CarriedTables>;
}

/** What of a sink's session following needs. */
export type FollowedSession = Pick<SinkSession, "apply" | "openTransaction" | "saveProgress">;

/** The loop of one session: read, decide by the chain's rules, apply, ack. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #window: Window;
  readonly #pieces: PieceApplier;
  #carried: CarriedTables;
  #state: ChainState;
  /** What `apply` or `saveProgress` stored last. */
  #stored: Progress;
  /** How far the topic was read: what of it holds data may still have to be applied. */
  #read: Progress;
  /** How far the replica is: everything through here is applied, or held no data for it. */
  #reached: Progress;
  /** When the last transaction that was read was committed. */
  #committedAtUs: number | null = null;
  #savedMs = performance.now();
  #isFound = false;
  /** Resolves when all of the window is in the topic. */
  #appended: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    const { session, progress, open, carried, compare, hardSignal, failpoints } = options;
    this.#options = options;
    this.#window = new Window(compare);
    this.#pieces = new PieceApplier(session, compare, hardSignal, failpoints);
    this.#carried = carried;
    this.#stored = progress;
    this.#read = progress;
    this.#reached = progress;
    this.#state = { epoch: progress.epoch, position: progress.position, open, begin: null };
  }

  /**
   * Resolves only when it is enough; rejects as whatever it uses does, after a clean stop with the signal's reason, and
   * with `NotAppended` when the session goes on without what was being appended.
   */
  async run(from: Offset, signal: AbortSignal): Promise<void> {
    try {
      for (let at = from; !this.#isEnough();) {
        const chunk = await this.#chunkAt(at, signal);
        at = chunk === null ? await this.#search(null, signal) : await this.#takeAll(chunk, signal);
        await this.#saveIfDue();
      }
      await this.#save();
    } catch (error) {
      const isClean = error === signal.reason || error instanceof NotAppended;
      if (!isClean || this.#options.hardSignal.aborted) throw error;
      await this.#pieces.abandon();
      await this.#save();
      throw error;
    }
  }

  /** Null: the log no longer has, or no longer reaches, this offset. */
  async #chunkAt(at: Offset, signal: AbortSignal): Promise<DecodedChunk | null> {
    try {
      const { tail, takes } = this.#options;
      return await tail.read(at, takes, signal);
    } catch (error) {
      if (hasCode(error, "offset-out-of-range")) return null;
      throw error;
    }
  }

  /** Applies a chunk; returns where to read on. */
  async #takeAll({ entries, next }: DecodedChunk, signal: AbortSignal): Promise<Offset> {
    return (await this.#take(entries, signal)) ?? next;
  }

  /** Applies entries in order. Returns where to go on instead when the topic has to be searched. */
  async #take(entries: readonly DecodedEntry[], signal: AbortSignal): Promise<Offset | null> {
    for (const entry of entries) {
      this.#appended = appendedSoon(entry, signal);
      const step = nextStep(this.#state, entry.offset, entry.headers, this.#options.compare);
      if (step.kind !== "apply") await this.#appended;
      switch (step.kind) {
        case "drop":
          break;
        case "apply": {
          const again = (await this.#meetUnknown(entry)) ?? (await this.#meetAnew(entry));
          if (again !== null) return again;
          await this.#applyEntry(entry, step.state);
          break;
        }
        case "pass":
          await this.#pieces.abandon(); // Something else came in the middle: its publisher did not finish it.
          this.#moveTo(step.state, entry);
          break;
        case "gap":
          await this.#pieces.abandon();
          await this.#apply();
          return await this.#search(step.previous, signal);
        case "conflict":
          throw epochConflict(this.#options.sink.replica, this.#state.epoch, step.epoch ?? this.#state.epoch);
      }
      if (signal.aborted || this.#isEnough()) break;
    }
    await this.#apply();
    return null;
  }

  /** Never within a large transaction. */
  #isEnough(): boolean {
    return !this.#pieces.isOpen && this.#options.isEnough(this.#state.position);
  }

  /** Where to read on when the replica met a table that it does not know: at this record, or its transaction's first. */
  async #meetUnknown(entry: DecodedEntry): Promise<Offset | null> {
    const { record, offset: at } = entry;
    const named = "tables" in record ? this.#carried.unknownIn(record.tables) : [];
    // What was only dropped is no new table.
    const unknown = entry.hasAnew ? named.filter(({ columns }) => columns.length > 0) : named;
    if (unknown.length === 0) return null;
    await this.#appended; // P1: what the replica knows of its tables is stored, too.
    const from = this.#pieces.begin ?? at;
    await this.#pieces.abandon();
    this.#state = { ...this.#state, begin: null };
    await this.#apply();
    this.#carried = await this.#options.onUnknown(unknown);
    return from;
  }

  /** Where to read on when tables were made anew that the replica has: at this record, which then leaves them out. */
  async #meetAnew(entry: DecodedEntry): Promise<Offset | null> {
    if (!entry.hasAnew) return null;
    const anew = new Map(this.#anewIn(entry).map((table) => [tableKey(table), table]));
    if (anew.size === 0) return null;
    await this.#appended; // P1: what the replica knows of its tables is stored, too.
    await this.#pieces.abandon();
    await this.#apply();
    this.#carried = await this.#options.onAnew([...anew.values()]);
    return entry.offset;
  }

  #anewIn({ record }: DecodedEntry): readonly Table[] {
    const { compare } = this.#options;
    if (record.kind === "begin") {
      const { events, tables, xid, commitStart } = record;
      return this.#carried.anewIn(events, tables, placeOfPieces(xid, commitStart, compare));
    }
    if (record.kind !== "transactions") return [];
    const above = record.transactions.filter(
      ({ position }) => !includes(compare, this.#state.position, position),
    );
    return above.flatMap(({ xid, position, events }) =>
      this.#carried.anewIn(events, record.tables, placeOf(xid, position, compare)),
    );
  }

  async #applyEntry(entry: DecodedEntry, next: ChainState): Promise<void> {
    const { kind } = entry.headers;
    this.#observe(entry);
    if (kind === "transactions") {
      await this.#pieces.abandon();
      this.#window.add(entry, this.#state.position, this.#carried);
      if (this.#window.isEmpty) await this.#appended; // P1: it would be acked.
      this.#moveTo(next, entry);
      if (this.#window.isFull) await this.#apply();
      return;
    }
    if (kind === "begin") await this.#apply();
    await this.#timed(async () => await this.#pieces.add(entry, this.#carried));
    this.#moveTo(next, entry);
    if (kind !== "end") return;
    this.#applied(await this.#pieces.commit(this.#read));
  }

  #moveTo(state: ChainState, { offset: at, headers }: DecodedEntry): void {
    this.#state = state;
    if (headers.position !== state.position) return;
    this.#isFound = false;
    const { epoch, position } = state;
    this.#read = { epoch, position, offset: at, open: headers.open ?? at, run: headers.run };
    if (this.#window.isEmpty && !this.#pieces.isOpen) this.#reached = this.#read;
  }

  async #apply(): Promise<void> {
    const { session, hardSignal, failpoints } = this.#options;
    if (this.#window.isEmpty) {
      if (this.#reached !== this.#stored) this.#ack({ events: 0, conflicts: 0 });
      return;
    }
    let [events, conflicts] = [0, 0];
    const appended = this.#appended;
    for (const window of this.#window.take(this.#read)) {
      const waiting = appended === undefined ? window : { ...window, appended };
      const result = await this.#timed(async () => await session.apply(waiting, hardSignal));
      failpoints?.hit("committed");
      events += result.events;
      conflicts += result.conflicts;
    }
    this.#applied({ events, conflicts });
  }

  #applied(result: ApplyResult): void {
    this.#reached = this.#read;
    this.#stored = this.#read;
    this.#savedMs = performance.now();
    this.#ack({ ...result, committedAtUs: this.#committedAtUs });
  }

  #observe({ record }: DecodedEntry): void {
    if (record.kind !== "transactions" && record.kind !== "end") return;
    if (record.kind === "transactions" && this.#window.isEmpty)
      this.#options.observer.taken(record.transactions[0].committedAtUs);
    this.#committedAtUs = record.last?.committedAtUs ?? null;
  }

  async #timed<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await work();
    this.#options.observer.applied(performance.now() - startedMs);
    return result;
  }

  /** A1: durable in the replica, or nothing to be made durable. */
  #ack(applied: Applied): void {
    const { epoch, position, offset } = this.#reached;
    const { isWhole } = this.#carried;
    this.#options.onAcked({ epoch, position, offset, stored: this.#stored.offset, isWhole }, applied);
  }

  async #saveIfDue(): Promise<void> {
    if (!this.#pieces.isOpen && performance.now() - this.#savedMs > SAVE_INTERVAL_MS) await this.#save();
  }

  async #save(): Promise<void> {
    this.#savedMs = performance.now();
    if (this.#reached === this.#stored || this.#reached.position === this.#stored.position) return;
    await this.#options.session.saveProgress(this.#reached, this.#options.hardSignal);
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

/** Undefined for what is in the topic. Rejects with `NotAppended`, also when the append takes long, or we stop. */
function appendedSoon({ appending }: DecodedEntry, signal: AbortSignal): Promise<void> | undefined {
  if (appending === null) return undefined;
  const soon = new Deferred<void>();
  const stop = (): void => soon.reject(new NotAppended("the replica stops"));
  const late = (): void => soon.reject(new NotAppended(`no append within ${MAX_APPENDING_MS} ms`));
  const timer = setTimeout(late, MAX_APPENDING_MS);
  signal.addEventListener("abort", stop, { once: true });
  appending.then(() => soon.resolve(), soon.reject.bind(soon));
  const settled = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  };
  soon.promise.then(settled, settled);
  return soon.promise;
}

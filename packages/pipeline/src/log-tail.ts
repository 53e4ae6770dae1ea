import { abortable, hasCode, type EventLog, type Offset } from "@lockstep/core";
import { DecodedEntry, type DecodedChunk } from "./decoded-entry.ts";
import { HandedOver, type Takes } from "./handed-over.ts";

/** One fetch: a record or two when behind. Larger gains nothing and costs memory. */
const FETCH_BYTES = 1024 * 1024;
/** A long poll wakes as soon as data arrives, so this only bounds how long a quiet one lasts (measured). */
const FETCH_WAIT_MS = 1_000;
/** So long without a record of our own, the topic is asked: it may have been deleted, or have lost its end (A2). */
const QUIET_MS = 1_000;
/** Chunks kept for the other appliers: one being applied, one read ahead, one for who is a step behind. */
const KEPT_CHUNKS = 3;

/**
 * Reads a topic for all appliers of one process: what it appended itself from memory, the rest by fetching. Those
 * at the same offset share one fetch and one decode, and the next fetch is under way while a chunk is being
 * applied. Bounded: what `HandedOver` keeps, `KEPT_CHUNKS` and what is in use.
 */
export class LogTail implements AsyncDisposable {
  readonly #log: EventLog;
  readonly #onFetched: (offset: Offset) => void;
  readonly #onAnswer: (failure: unknown) => void;
  readonly #closed = new AbortController();
  readonly #inFlight = new Map<Offset, Promise<DecodedChunk>>();
  readonly #handed = new HandedOver();
  #kept: DecodedChunk[] = [];
  /** The newest entry that was read. */
  #newest: Offset | null = null;

  /** `onAnswer` is told `log-unavailable` or, of a log that answers, null. */
  constructor(
    log: EventLog,
    onFetched: (offset: Offset) => void = () => undefined,
    onAnswer: (failure: unknown) => void = () => undefined,
  ) {
    this.#log = log;
    this.#onAnswer = onAnswer;
    this.#onFetched = onFetched;
  }

  /** An entry that this process has appended, or is appending: then it comes again when that has resolved (P1). */
  handOver(entry: DecodedEntry): void {
    if (entry.appending === null) this.#handed.add(entry);
    else this.#handed.begin(entry);
  }

  /** See `HandedOver.paced`. */
  async paced(signal: AbortSignal): Promise<void> {
    await this.#handed.paced(signal);
  }

  /** Nothing more comes from the publisher of those: others may append now. */
  endHandOver(): void {
    this.#handed.clear();
  }

  /** The entries from an offset on; empty when there are none for a while. Rejects as `EventLog.read` does. */
  async read(from: Offset, takes: Takes, signal: AbortSignal): Promise<DecodedChunk> {
    signal.throwIfAborted();
    const chunk = this.#readHanded(from, takes) ?? (await this.#wait(from, takes, signal));
    const last = chunk.entries.at(-1);
    if (last !== undefined) this.#handed.reached(last.offset);
    return chunk;
  }

  async #wait(from: Offset, takes: Takes, signal: AbortSignal): Promise<DecodedChunk> {
    if (from !== this.#handed.end)
      return await this.#readTopic({ from, takes, maxWaitMs: FETCH_WAIT_MS }, signal);
    await this.#handed.more(QUIET_MS, takes, signal);
    return this.#readHanded(from, takes) ?? (await this.#readTopic({ from, takes, maxWaitMs: 0 }, signal));
  }

  #readHanded(from: Offset, takes: Takes): DecodedChunk | null {
    const chunk = this.#handed.read(from, FETCH_BYTES, takes);
    if (chunk !== null) this.#tell(chunk);
    return chunk;
  }

  async #readTopic(wanted: Wanted, signal: AbortSignal): Promise<DecodedChunk> {
    const { from } = wanted;
    const kept = this.#kept.find((chunk) => chunk.from <= from && from < chunk.next);
    const chunk = kept ?? (await this.#fetchOrHanded(wanted, signal));
    if (chunk.entries.length > 0) this.#readAhead(chunk.next);
    if (chunk.from === from) return chunk;
    return { ...chunk, from, entries: chunk.entries.filter((entry) => entry.offset >= from) };
  }

  /** At the topic's end, what is appended next is handed over before the broker's answer comes. */
  async #fetchOrHanded({ from, takes, maxWaitMs }: Wanted, signal: AbortSignal): Promise<DecodedChunk> {
    const fetched = this.#fetch(from, maxWaitMs);
    const ended = new AbortController();
    const handed = this.#handed.more(FETCH_WAIT_MS, takes, AbortSignal.any([signal, ended.signal])).then(
      () => this.#readHanded(from, takes) ?? fetched,
      () => fetched,
    );
    try {
      return await abortable(Promise.race([fetched, handed]), signal);
    } finally {
      ended.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#kept = [];
    this.#handed.clear();
    await Promise.allSettled(this.#inFlight.values());
  }

  #readAhead(from: Offset): void {
    if (this.#closed.signal.aborted || this.#kept.some((chunk) => chunk.from === from)) return;
    if (from === this.#handed.end || this.#handed.has(from)) return;
    this.#fetch(from, FETCH_WAIT_MS).catch(() => undefined); // Whoever needs it fetches again and gets the error.
  }

  #fetch(from: Offset, maxWaitMs: number): Promise<DecodedChunk> {
    const running = this.#inFlight.get(from);
    if (running !== undefined) return running;
    const fetched = this.#fetchNow(from, maxWaitMs).finally(() => this.#inFlight.delete(from));
    this.#inFlight.set(from, fetched);
    return fetched;
  }

  async #fetchNow(from: Offset, maxWaitMs: number): Promise<DecodedChunk> {
    const request = { from, maxBytes: FETCH_BYTES, maxWaitMs };
    const { entries, next } = await this.#log.read(request, this.#closed.signal).catch((error: unknown) => {
      this.#onAnswer(hasCode(error, "log-unavailable") ? error : null);
      throw error;
    });
    this.#onAnswer(null);
    const chunk = { from, next, entries: entries.map((entry) => new DecodedEntry(entry)) };
    this.#tell(chunk);
    if (entries.length > 0) this.#kept = [...this.#kept.slice(1 - KEPT_CHUNKS), chunk];
    return chunk;
  }

  #tell({ entries }: DecodedChunk): void {
    for (const { offset } of entries) {
      if (this.#newest !== null && offset <= this.#newest) continue;
      this.#newest = offset;
      this.#onFetched(offset);
    }
  }
}

interface Wanted {
  readonly from: Offset;
  readonly takes: Takes;
  readonly maxWaitMs: number;
}

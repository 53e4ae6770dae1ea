import { abortable, type EventLog, type Offset } from "@lockstep/core";
import { DecodedEntry } from "./decoded-entry.ts";

/** One fetch: a record or two when behind. Larger gains nothing and costs memory. */
const FETCH_BYTES = 1024 * 1024;
/** A long poll wakes as soon as data arrives, so this only bounds how long a quiet one lasts (measured). */
const FETCH_WAIT_MS = 1_000;
/** Chunks kept for the other appliers: one being applied, one read ahead, one for who is a step behind. */
const KEPT_CHUNKS = 3;

export interface DecodedChunk {
  readonly from: Offset;
  readonly next: Offset;
  readonly entries: readonly DecodedEntry[];
}

/**
 * Reads a topic for all appliers of one process: those at the same offset share one fetch and one decode, and
 * the next fetch is under way while a chunk is being applied. Bounded: `KEPT_CHUNKS` and what is in use.
 */
export class LogTail implements AsyncDisposable {
  readonly #log: EventLog;
  readonly #onFetched: (offset: Offset) => void;
  readonly #closed = new AbortController();
  readonly #inFlight = new Map<Offset, Promise<DecodedChunk>>();
  #kept: DecodedChunk[] = [];

  constructor(log: EventLog, onFetched: (offset: Offset) => void = () => undefined) {
    this.#log = log;
    this.#onFetched = onFetched;
  }

  /** The entries from an offset on; empty when there are none for a while. Rejects as `EventLog.read` does. */
  async read(from: Offset, signal: AbortSignal): Promise<DecodedChunk> {
    signal.throwIfAborted();
    const kept = this.#kept.find((chunk) => chunk.from <= from && from < chunk.next);
    const chunk = kept ?? (await abortable(this.#fetch(from), signal));
    if (chunk.entries.length > 0) this.#readAhead(chunk.next);
    if (chunk.from === from) return chunk;
    return { ...chunk, from, entries: chunk.entries.filter((entry) => entry.offset >= from) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#kept = [];
    await Promise.allSettled(this.#inFlight.values());
  }

  #readAhead(from: Offset): void {
    if (this.#closed.signal.aborted || this.#kept.some((chunk) => chunk.from === from)) return;
    this.#fetch(from).catch(() => undefined); // Whoever needs it fetches again and gets the error.
  }

  #fetch(from: Offset): Promise<DecodedChunk> {
    const running = this.#inFlight.get(from);
    if (running !== undefined) return running;
    const fetched = this.#fetchNow(from).finally(() => this.#inFlight.delete(from));
    this.#inFlight.set(from, fetched);
    return fetched;
  }

  async #fetchNow(from: Offset): Promise<DecodedChunk> {
    const request = { from, maxBytes: FETCH_BYTES, maxWaitMs: FETCH_WAIT_MS };
    const { entries, next } = await this.#log.read(request, this.#closed.signal);
    for (const { offset } of entries) this.#onFetched(offset);
    const chunk = { from, next, entries: entries.map((entry) => new DecodedEntry(entry)) };
    if (entries.length > 0) this.#kept = [...this.#kept.slice(1 - KEPT_CHUNKS), chunk];
    return chunk;
  }
}

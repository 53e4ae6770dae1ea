import { Arrivals, nextOffset, offset, type Offset } from "@lockstep/core";
import type { DecodedChunk, DecodedEntry } from "./decoded-entry.ts";

/** Of encoded records: for appliers that are a little behind. Who is further behind reads the topic. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** So much may be appended that nobody has taken yet, before who appends a backlog waits for a reader, … */
const AHEAD_BYTES = 1024 * 1024;
/** … for so long at most: a replica that is slow soon is too far away to be waited for. */
const PACE_MS = 250;
/** Who has read nothing for so long is away, … */
const ABSENT_MS = 1_000;
/** … and who is so many records before what is kept will not come near it soon. */
const NEAR_RECORDS = 32n;
/** Who comes so much later than an append began waits for its end: the log may be away. */
const OFFERED_MS = 100;

/** Whether a reader may take what is being appended; it then waits for that before it commits anything (P1). */
export type Takes = "appended" | "appending";

/** The newest entries of the topic, which this process appends itself: its appliers need not read them back. */
export class HandedOver {
  #entries: DecodedEntry[] = [];
  #bytes = 0;
  /** The newest entry that a reader has, and when it got it. */
  #newest: Offset | null = null;
  #readMs = -Infinity;
  #appending: DecodedEntry | null = null;
  #begunMs = 0;
  readonly #begun = new Arrivals();
  readonly #added = new Arrivals();
  readonly #read = new Arrivals();

  /** The offset behind the newest entry; null where nothing is kept. */
  get end(): Offset | null {
    const last = this.#entries.at(-1);
    return last === undefined ? null : nextOffset(last.offset);
  }

  /** An entry that is being appended; `add` or `clear` ends that. */
  begin(entry: DecodedEntry): void {
    this.#appending = entry;
    this.#begunMs = performance.now();
    this.#begun.announce();
  }

  /** An entry whose append has resolved (P1). */
  add(entry: DecodedEntry): void {
    this.#appending = null;
    if (this.end !== entry.offset) this.#forget(); // What lies between is for the topic to say.
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    while (this.#bytes > KEPT_BYTES && this.#entries.length > 1) {
      this.#bytes -= this.#entries.shift()?.bytes ?? 0;
    }
    this.#announce();
  }

  has(at: Offset): boolean {
    const [first] = this.#entries;
    const { end } = this;
    return first !== undefined && end !== null && at >= first.offset && at < end;
  }

  /** Entries from an offset on, one at least, else up to so many bytes; null when the first of them is not there. */
  read(from: Offset, maxBytes: number, takes: Takes): DecodedChunk | null {
    const appending = this.#appending;
    if (takes === "appending" && appending?.offset === from && this.#isOffered())
      return { from, next: nextOffset(from), entries: [appending] };
    const [first] = this.#entries;
    if (first === undefined || !this.has(from)) return null;
    const entries: DecodedEntry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(Number(from - first.offset))) {
      if (entries.length > 0 && bytes + entry.bytes > maxBytes) break;
      entries.push(entry);
      bytes += entry.bytes;
    }
    return { from, next: offset(from + BigInt(entries.length)), entries };
  }

  /** Resolves when there may be more to take, or after `maxMs`. */
  async more(maxMs: number, takes: Takes, signal: AbortSignal): Promise<void> {
    await (takes === "appending" ? this.#begun : this.#added).next(maxMs, signal);
  }

  /** For who appends without a pause: resolves when a reader who keeps up has got more, or does not come. */
  async paced(signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + PACE_MS;
    while (this.#hasNearReader() && this.#unreadBytes() >= AHEAD_BYTES) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return;
      await this.#read.next(leftMs, signal);
    }
  }

  /** A reader has everything through an entry, from here or from the topic. */
  reached(at: Offset): void {
    if (this.#newest !== null && at <= this.#newest) return;
    this.#newest = at;
    this.#readMs = performance.now();
    this.#read.announce();
  }

  clear(): void {
    this.#appending = null;
    this.#forget();
    this.#announce();
  }

  #isOffered(): boolean {
    return performance.now() - this.#begunMs < OFFERED_MS;
  }

  #announce(): void {
    this.#begun.announce();
    this.#added.announce();
  }

  #hasNearReader(): boolean {
    const [first] = this.#entries;
    if (first === undefined || this.#newest === null) return false;
    return this.#newest + NEAR_RECORDS >= first.offset && performance.now() - this.#readMs < ABSENT_MS;
  }

  #unreadBytes(): number {
    let bytes = 0;
    for (let at = this.#entries.length - 1; at >= 0 && bytes < AHEAD_BYTES; at--) {
      const entry = this.#entries[at];
      if (entry === undefined || (this.#newest !== null && entry.offset <= this.#newest)) break;
      bytes += entry.bytes;
    }
    return bytes;
  }

  #forget(): void {
    this.#entries = [];
    this.#bytes = 0;
  }
}

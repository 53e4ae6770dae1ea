import { setTimeout as sleep } from "node:timers/promises";
import { abortable, nextOffset, type Offset } from "@lockstep/core";
import type { DecodedChunk, DecodedEntry } from "./decoded-entry.ts";

/** Of encoded records: for appliers that are a little behind. Who is further behind reads the topic. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** The newest entries of the topic, which this process appended itself: its appliers need not read them back. */
export class HandedOver {
  #entries: DecodedEntry[] = [];
  #bytes = 0;
  readonly #waiting = new Set<() => void>();

  /** The offset behind the newest entry; null where nothing is kept. */
  get end(): Offset | null {
    const last = this.#entries.at(-1);
    return last === undefined ? null : nextOffset(last.offset);
  }

  /** An entry whose append has resolved (P1). */
  add(entry: DecodedEntry): void {
    if (this.end !== entry.offset) this.clear(); // What lies between is for the topic to say.
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    while (this.#bytes > KEPT_BYTES && this.#entries.length > 1) {
      this.#bytes -= this.#entries.shift()?.bytes ?? 0;
    }
    this.#wake();
  }

  /** The entries from an offset on; null when the first of them is not kept. */
  read(from: Offset): DecodedChunk | null {
    const [first] = this.#entries;
    const { end } = this;
    if (first === undefined || end === null || from < first.offset || from >= end) return null;
    return { from, next: end, entries: this.#entries.slice(Number(from - first.offset)) };
  }

  /** Resolves when what is kept changes, or after `maxMs`. */
  async more(maxMs: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    let wake: () => void = () => undefined;
    const added = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    const timer = sleep(maxMs, undefined, { signal: done.signal }).catch(() => undefined);
    try {
      await abortable(Promise.race([added, timer]), signal);
    } finally {
      this.#waiting.delete(wake);
      done.abort();
    }
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

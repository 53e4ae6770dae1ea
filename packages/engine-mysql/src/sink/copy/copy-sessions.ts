import type { Connected } from "../../connection.ts";
import { openCopySession, type CopySessionOptions } from "../replica-session.ts";
import { COPY_SLOTS } from "../session-locks.ts";

interface Held {
  readonly connected: Connected;
  readonly slot: number;
}

/** Sessions that write copies: as many as write at the same time. One that failed is not used again. */
export class CopySessions implements AsyncDisposable {
  readonly #options: Omit<CopySessionOptions, "slot" | "isAlone">;
  readonly #signal: AbortSignal;
  readonly #idle: Held[] = [];
  readonly #all = new Map<Connected, number>();
  /** The longest unused last: its session may still be going. */
  readonly #freeSlots: number[] = [...COPY_SLOTS];

  constructor(options: Omit<CopySessionOptions, "slot" | "isAlone">, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** A session of the caller's own until it is given back. */
  async take(): Promise<Connected> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle.connected;
    const slot = this.#freeSlots.shift();
    if (slot === undefined) throw new TypeError("more sessions than can copy at the same time");
    try {
      const connected = await openCopySession({ ...this.#options, slot, isAlone: false }, this.#signal);
      this.#all.set(connected, slot);
      return connected;
    } catch (error) {
      this.#freeSlots.push(slot);
      throw error;
    }
  }

  giveBack(connected: Connected): void {
    const slot = this.#all.get(connected);
    if (slot !== undefined) this.#idle.push({ connected, slot });
  }

  async discard(connected: Connected): Promise<void> {
    const slot = this.#all.get(connected);
    if (slot === undefined) return;
    this.#all.delete(connected);
    connected.session.destroy(); // What it had begun is rolled back.
    await connected[Symbol.asyncDispose]();
    this.#freeSlots.push(slot);
  }

  /** Runs work on a session. */
  async use<T>(work: (connected: Connected) => Promise<T>): Promise<T> {
    const connected = await this.take();
    let isWell = false;
    try {
      const result = await work(connected);
      isWell = true;
      return result;
    } finally {
      if (isWell) this.giveBack(connected);
      else await this.discard(connected);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all.keys()].map(async (connected) => await this.discard(connected)));
  }
}

import type { Duplex } from "node:stream";
import type { Arrived } from "@lockstep/core";

/** Decoded and not yet pulled: above, the socket is paused, and the server waits. */
const MAX_PENDING_BYTES = 1024 * 1024;
/** Behind by more than this, small reads are gathered: an eager reader makes the server slower (measured). */
const BEHIND_US = 100_000;
const SMALL_READ_BYTES = 32 * 1024;
const GATHER_MS = 1;
/** A commit in another database of the server sends a word of its own: after so many in a row, … */
const QUIET_WORDS = 10;
/** … they are gathered too. What is ours waits as long, at most, behind them. */
const QUIET_GATHER_MS = 5;

/** When the socket of a stream is read: not while much is pending, and less often while the server is behind. */
export class Pace {
  readonly #arrived: Arrived;
  #socket: Duplex | null = null;
  #gathering: NodeJS.Timeout | undefined;
  /** Keepalives in a row, without any WAL. */
  #quietWords = 0;
  #isHurried = false;

  constructor(arrived: Arrived) {
    this.#arrived = arrived;
  }

  takeOver(socket: Duplex): void {
    this.#socket = socket;
  }

  get isPaused(): boolean {
    return this.#socket?.isPaused() === true;
  }

  /** Commits of other databases wait, too. */
  hurry(isHurried: boolean): void {
    this.#isHurried = isHurried;
  }

  /** A message came, with WAL or without. */
  heard({ isQuiet }: { readonly isQuiet: boolean }): void {
    this.#quietWords = isQuiet ? this.#quietWords + 1 : 0;
  }

  /** A chunk was decoded. */
  received(bytes: number): void {
    if (this.#arrived.bytes > MAX_PENDING_BYTES) this.#socket?.pause();
    else if (bytes >= SMALL_READ_BYTES)
      return; // A large row, or much at once.
    else if (this.#arrived.lagUs > BEHIND_US) this.#gather(GATHER_MS);
    else if (this.#quietWords > QUIET_WORDS && !this.#isHurried) this.#gather(QUIET_GATHER_MS);
  }

  /** Nothing is left to take: what is pending is less than a piece, or one row, which has its own limit. */
  resume(): void {
    if (this.#gathering === undefined) this.#socket?.resume();
  }

  stop(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
  }

  #gather(forMs: number): void {
    this.#socket?.pause();
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (this.#arrived.bytes <= MAX_PENDING_BYTES) this.#socket?.resume();
    }, forMs);
  }
}

import type { Confirmation, Position } from "@lockstep/core";
import { later } from "../position.ts";
import { encodeStatus } from "./replication-messages.ts";

/** Confirmations are sent at once, but not more often than this: each wakes the server. */
const MIN_GAP_MS = 20;

/** What the walsender is told about us: positions that never move back (P1). */
export class StandbyStatus {
  readonly #write: (frame: Buffer) => void;
  #written: Position | null = null;
  #flushed: Position | null = null;
  #applied: Position | null = null;
  #owed: Position | null = null;
  /** Until it is known that commits wait for nobody, they may. */
  #isHurried = true;
  #isHeld = false;
  #lastSentMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (frame: Buffer) => void) {
    this.#write = write;
  }

  received(position: Position): void {
    this.#written = position;
  }

  /** While commits wait for what we say, we say it at once. */
  hurry(isHurried: boolean): void {
    this.#isHurried = isHurried;
  }

  /** Nothing at all is sent while held, which is for a second at most. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.send();
  }

  /** The server asked to hear from us: it has sent everything up to there, and perhaps waits to stop. */
  owe(position: Position): void {
    this.#owed = position;
    this.send();
  }

  /** The server asked, and has not been told since that all of it is durable. */
  get isOwed(): boolean {
    return this.#owed !== null;
  }

  confirm({ durable, replicated }: Confirmation): void {
    this.#flushed = later(this.#flushed, durable);
    this.#applied = later(this.#applied, replicated);
    if (this.#owed !== null && later(this.#flushed, this.#owed) === this.#flushed) this.#owed = null;
    if (this.#timer !== undefined) return;
    const waitMs = this.#isHurried ? 0 : this.#lastSentMs + MIN_GAP_MS - performance.now();
    if (waitMs <= 0) this.send();
    else this.#timer = setTimeout(() => this.send(), waitMs);
  }

  send(options: { readonly wantsReply?: boolean } = {}): void {
    if (this.#isHeld) return;
    this.stop();
    this.#lastSentMs = performance.now();
    const frame = encodeStatus(
      {
        written: this.#isHurried ? this.#flushed : this.#written, // `remote_write` is no promise less than `on`
        flushed: this.#flushed, // P1: exactly what was appended, never more
        applied: this.#applied,
        wantsReply: options.wantsReply ?? false,
      },
      Date.now(),
    );
    this.#write(frame);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

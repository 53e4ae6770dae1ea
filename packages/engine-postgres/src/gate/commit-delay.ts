import type { Confirmation, Position } from "@lockstep/core";
import { later } from "../position.ts";
import { Lateness } from "./lateness.ts";

/** How long commits have been waiting, or would have, for the log and for the quorum. */
export class CommitDelay {
  readonly #log = new Lateness();
  readonly #replicas = new Lateness();
  #written: Position | null = null;
  #confirmed: Confirmation | null = null;

  /** Null before the first. */
  get confirmed(): Confirmation | null {
    return this.#confirmed;
  }

  confirm(confirmation: Confirmation, received: Position | null): void {
    this.#confirmed = confirmation;
    this.#look(received);
  }

  /** The primary has written so far, be it that the stream is behind. */
  seeWritten(written: Position, received: Position | null): void {
    this.#written = later(this.#written, written);
    this.#look(received);
  }

  /** Of the oldest commit that is not in the log; 0 where there is none. */
  get logMs(): number {
    return this.#log.ms(performance.now());
  }

  /** Of the oldest commit that the quorum does not have, from the commit on. */
  get quorumMs(): number {
    return this.#replicas.ms(performance.now());
  }

  #look(received: Position | null): void {
    const { durable = null, replicated = null } = this.#confirmed ?? {};
    const ahead = later(received, this.#written);
    const now = performance.now();
    this.#log.look(ahead, durable, now);
    this.#replicas.look(ahead, replicated, now);
  }
}

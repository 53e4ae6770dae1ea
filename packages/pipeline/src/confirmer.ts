import type { ComparePositions, Confirmation, Failpoints, Position } from "@lockstep/core";
import { AckTracker } from "./ack-tracker.ts";

/** Brings appends and acks together into what the primary may be told (P1). */
export class Confirmer {
  readonly #acks: AckTracker;
  readonly #failpoints: Failpoints | undefined;
  #durable: Position | null = null;
  #confirm: ((confirmation: Confirmation) => void) | null = null;

  constructor(replicas: readonly string[], compare: ComparePositions, failpoints: Failpoints | undefined) {
    this.#acks = new AckTracker(replicas, compare);
    this.#failpoints = failpoints;
  }

  /** The source session that listens; null while there is none. */
  connect(confirm: ((confirmation: Confirmation) => void) | null): void {
    this.#durable = null; // Until this session has proved that its history is the topic's (A2).
    this.#confirm = confirm;
  }

  /** The append that holds everything through `position` resolved. */
  appended(position: Position): void {
    this.#durable = position;
    this.#send();
  }

  /** A replica said: everything through `position` is durable in me. */
  acked(replica: string, position: Position): void {
    this.#acks.ack(replica, position);
    this.#failpoints?.hit("acked");
    this.#send();
  }

  #send(): void {
    if (this.#durable === null) return;
    this.#confirm?.({ durable: this.#durable, replicated: this.#acks.slowest() }); // P1
  }
}

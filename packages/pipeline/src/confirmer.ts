import {
  includes,
  type ComparePositions,
  type Confirmation,
  type Failpoints,
  type Position,
} from "@lockstep/core";
import type { AckTracker } from "./ack-tracker.ts";

export interface ConfirmerOptions {
  readonly tracker: AckTracker;
  readonly compare: ComparePositions;
  readonly failpoints?: Failpoints | undefined;
  /** Log or replicas may be further than before. */
  readonly onMoved?: () => void;
}

/** Brings appends and acks together into what the primary may be told (P1). */
export class Confirmer {
  readonly #options: ConfirmerOptions;
  #confirm: ((confirmation: Confirmation) => void) | null = null;

  constructor(options: ConfirmerOptions) {
    this.#options = options;
  }

  /** The source session that listens; null while there is none. */
  connect(confirm: ((confirmation: Confirmation) => void) | null): void {
    this.#options.tracker.appended(null); // Until this session has proved that its history is the topic's (A2).
    this.#confirm = confirm;
  }

  /** The append that holds everything through `position` resolved. */
  appended(position: Position): void {
    this.#options.tracker.appended(position);
    this.#send();
  }

  /** A replica said: everything through `position` of this epoch is durable in me. */
  acked(replica: string, epoch: string, position: Position): void {
    this.#options.tracker.ack(replica, epoch, position);
    this.#options.failpoints?.hit("acked");
    this.#send();
  }

  /** A replica was read to show no whole transactions yet. */
  copying(replica: string): void {
    this.#options.tracker.copying(replica);
    this.#send();
  }

  /** A replica is enabled. */
  joined(replica: string): void {
    this.#options.tracker.join(replica);
    this.#send();
  }

  /** A replica is disabled. */
  left(replica: string): void {
    this.#options.tracker.leave(replica);
    this.#send();
  }

  #send(): void {
    const { tracker, compare, onMoved } = this.#options;
    const { durable, position } = tracker;
    if (durable !== null) {
      // P1: a log that lost its end is behind what was told before.
      const isHeld = position === null || includes(compare, durable, position);
      this.#confirm?.({ durable, replicated: isHeld ? position : durable });
    }
    onMoved?.();
  }
}

import { includes, type ComparePositions, type Position } from "@lockstep/core";

/** What each replica has said to be durable in it. Pure bookkeeping. */
export class AckTracker {
  readonly #compare: ComparePositions;
  readonly #acked = new Map<string, Position | null>();

  constructor(replicas: readonly string[], compare: ComparePositions) {
    this.#compare = compare;
    for (const replica of replicas) this.#acked.set(replica, null);
  }

  /** A replica's ack may move back: its row was read again and is lower. */
  ack(replica: string, position: Position): void {
    this.#acked.set(replica, position);
  }

  get(replica: string): Position | null {
    return this.#acked.get(replica) ?? null;
  }

  /** The position that every replica has acked; null while one has said nothing, or there is none. */
  slowest(): Position | null {
    let slowest: Position | null = null;
    for (const position of this.#acked.values()) {
      if (position === null) return null;
      if (slowest === null || includes(this.#compare, slowest, position)) slowest = position;
    }
    return slowest;
  }
}

import type { Offset, Position } from "@lockstep/core";
import type { Reached } from "./applier.ts";

export interface PipelineStatus {
  readonly state: "starting" | "standby" | "publishing";
  /** Durable in the log. */
  readonly appended: Position | null;
  readonly transactions: number;
  readonly replicas: Readonly<Record<string, ReplicaStatus>>;
}

export interface ReplicaStatus {
  readonly state: "waiting" | "following" | "halted";
  readonly acked: Position | null;
  readonly offset: Offset | null;
  /** The offset in its row. */
  readonly stored: Offset | null;
  readonly eventsProcessed: number;
  readonly conflicts: number;
  /** What halted it. */
  readonly error: unknown;
}

const WAITING: ReplicaStatus = {
  state: "waiting",
  acked: null,
  offset: null,
  stored: null,
  eventsProcessed: 0,
  conflicts: 0,
  error: null,
};

/** What a pipeline has done so far, for people. */
export class Counters {
  state: PipelineStatus["state"] = "starting";
  #appended: Position | null = null;
  #transactions = 0;
  readonly #replicas = new Map<string, ReplicaStatus>();

  constructor(replicas: readonly string[]) {
    for (const replica of replicas) this.#replicas.set(replica, WAITING);
  }

  appended(position: Position, transactions: number): void {
    this.#appended = position;
    this.#transactions += transactions;
  }

  acked(
    replica: string,
    { position, offset, stored }: Reached,
    applied: { readonly events: number; readonly conflicts: number },
  ): void {
    const before = this.#replicas.get(replica) ?? WAITING;
    this.#replicas.set(replica, {
      state: "following",
      acked: position,
      offset,
      stored,
      eventsProcessed: before.eventsProcessed + applied.events,
      conflicts: before.conflicts + applied.conflicts,
      error: null,
    });
  }

  halted(replica: string, error: unknown): void {
    this.#replicas.set(replica, { ...(this.#replicas.get(replica) ?? WAITING), state: "halted", error });
  }

  snapshot(): PipelineStatus {
    return {
      state: this.state,
      appended: this.#appended,
      transactions: this.#transactions,
      replicas: Object.fromEntries(this.#replicas),
    };
  }
}

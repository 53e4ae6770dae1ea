import type { Offset, Position } from "@lockstep/core";
import type { Reached } from "./applier.ts";
import type { CopyStatus } from "./copy-progress.ts";

export interface PipelineStatus {
  readonly state: "starting" | "standby" | "publishing";
  /** Durable in the log. */
  readonly appended: Position | null;
  readonly transactions: number;
  readonly replicas: Readonly<Record<string, ReplicaStatus>>;
}

export interface ReplicaStatus {
  /** `copying` until its first copy has been passed: until then it shows no whole transactions. */
  readonly state: "waiting" | "copying" | "following" | "halted";
  /** What is being copied; null while nothing is. */
  readonly copy: CopyStatus | null;
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
  copy: null,
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
    { position, offset, stored, isWhole }: Reached,
    applied: { readonly events: number; readonly conflicts: number },
  ): void {
    const before = this.#replicas.get(replica) ?? WAITING;
    this.#replicas.set(replica, {
      state: isWhole ? "following" : "copying",
      copy: before.copy,
      acked: position,
      offset,
      stored,
      eventsProcessed: before.eventsProcessed + applied.events,
      conflicts: before.conflicts + applied.conflicts,
      error: null,
    });
  }

  copying(replica: string, copy: CopyStatus | null): void {
    const before = this.#replicas.get(replica) ?? WAITING;
    const state = copy !== null && before.acked === null ? "copying" : before.state;
    this.#replicas.set(replica, { ...before, state, copy });
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

/** Told what a replica's applier does: once a session, a record or a window, never once a row. */
export interface ReplicaObserver {
  /** A session with the replica is open, until `lost` is aborted or the next call; null: it has ended. */
  linked(lost: AbortSignal | null): void;
  /** What passes by itself and is tried again. */
  interrupted(error: unknown): void;
  /** The oldest transaction that it has read and not applied was committed then, where that is known. */
  taken(committedAtUs: number): void;
  /** The replica has taken a window, or a piece of a large transaction, in so long. */
  applied(ms: number): void;
  /** Tables that came later and cannot be copied, or caught up, by now; null: there are none any more. */
  left(out: LeftOut | null): void;
  /** Changes of tables that join, beside or before the replica's own way. */
  joined(applied: { readonly events: number; readonly conflicts: number }): void;
}

/** Tables that the replica does not have yet, and why the last attempt failed. */
export interface LeftOut {
  readonly tables: readonly string[];
  readonly error: unknown;
}

/** Of tables that join, which is no part of the replica's own way. */
export const NO_OBSERVER: ReplicaObserver = {
  linked: () => undefined,
  interrupted: () => undefined,
  taken: () => undefined,
  applied: () => undefined,
  left: () => undefined,
  joined: () => undefined,
};

import { offset, type Offset } from "@lockstep/core";

/** Who needs the topic from an offset on, of one replica. */
export type Keeper =
  /** A copy that is under way. */
  | "copy"
  /** Tables that are copied and have not been joined, or whose first copy has not ended. */
  | "tables"
  /** A replica that has not left its first copy's views behind. */
  | "replica";

/** From where on the topic must be kept for replicas that are being copied, or that tables join. */
export class KeptOffsets {
  readonly #replicas: Set<string>;
  readonly #kept = new Map<string, Offset | null>();
  readonly #known = new Set<string>();
  /** Whose session, if there is one, has begun since the replica was enabled. */
  readonly #heard = new Set<string>();

  constructor(replicas: readonly string[]) {
    this.#replicas = new Set(replicas);
  }

  /** A replica is enabled: what it needs is not known yet. */
  join(replica: string): void {
    this.#replicas.add(replica);
    this.#known.delete(replica);
  }

  /** A replica is disabled: nothing is kept for it. */
  leave(replica: string): void {
    this.#replicas.delete(replica);
    this.#heard.delete(replica);
    for (const key of this.#kept.keys()) if (isOf(replica, key)) this.#kept.delete(key);
  }

  /** No session with the replica is left of what was before; what the next one says counts. */
  begin(replica: string): void {
    if (this.#replicas.has(replica)) this.#heard.add(replica);
  }

  /** Every replica has said what it needs. */
  get areKnown(): boolean {
    return [...this.#replicas].every((replica) => this.#known.has(replica));
  }

  /** `null`: everything, since it is not known yet; `undefined`: nothing. */
  keep(replica: string, keeper: Keeper, from: Offset | null | undefined): void {
    if (!this.#heard.has(replica)) return; // Its session is on its way out, whether or not it is enabled again.
    this.#known.add(replica);
    const key = JSON.stringify([replica, keeper]);
    if (from === undefined) this.#kept.delete(key);
    else this.#kept.set(key, from);
  }

  /** The lower of this and what is kept. */
  least(of: Offset): Offset {
    let least = of;
    for (const from of this.#kept.values()) {
      const lower = from ?? offset(0);
      if (lower < least) least = lower;
    }
    return least;
  }
}

function isOf(replica: string, key: string): boolean {
  const [of]: unknown[] = JSON.parse(key);
  return of === replica;
}

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
  readonly #replicas: readonly string[];
  readonly #kept = new Map<string, Offset | null>();
  readonly #known = new Set<string>();

  constructor(replicas: readonly string[]) {
    this.#replicas = replicas;
  }

  /** Every replica has said what it needs. */
  get areKnown(): boolean {
    return this.#replicas.every((replica) => this.#known.has(replica));
  }

  /** `null`: everything, since it is not known yet; `undefined`: nothing. */
  keep(replica: string, keeper: Keeper, from: Offset | null | undefined): void {
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

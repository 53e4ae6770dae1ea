import { offset, type Offset } from "@lockstep/core";

/** From where on the topic must be kept for replicas that are being copied. */
export class KeptOffsets {
  readonly #byReplica = new Map<string, Offset | null>();

  /** `null`: everything, since it is not known yet; `undefined`: nothing. */
  keep(replica: string, from: Offset | null | undefined): void {
    if (from === undefined) this.#byReplica.delete(replica);
    else this.#byReplica.set(replica, from);
  }

  /** The lower of this and what is kept. */
  least(of: Offset): Offset {
    let least = of;
    for (const from of this.#byReplica.values()) {
      const lower = from ?? offset(0);
      if (lower < least) least = lower;
    }
    return least;
  }
}

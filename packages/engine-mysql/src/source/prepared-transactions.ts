import type { ReplicationEvent } from "@lockstep/core";

/** Of all that is prepared together; what is more is read again when its outcome is known (M1). */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
/** Applications that never end what they prepared; what is forgotten is looked for in the log. */
const MAX_TRANSACTIONS = 10_000;

/** Where an event begins: the file that has it, and how many bytes are before it there. */
export interface LogPlace {
  readonly file: string;
  readonly offset: number;
}

/** What of a transaction was read whose outcome is not known yet. */
export interface PreparedTransaction {
  /** Of its first event. */
  readonly place: LogPlace;
  /** Null where they are to be read again. */
  readonly events: readonly ReplicationEvent[] | null;
  /** Of its events in the log. */
  readonly bytes: number;
}

/** XA transactions that are prepared, by name, as far as this stream has met them. */
export class PreparedTransactions {
  readonly #byName = new Map<string, PreparedTransaction>();
  #heldBytes = 0;

  hold(name: string, prepared: PreparedTransaction): void {
    this.take(name);
    this.#byName.set(name, prepared);
    if (prepared.events !== null) this.#heldBytes += prepared.bytes;
    for (const [oldest, { place, events, bytes }] of this.#byName) {
      if (this.#byName.size > MAX_TRANSACTIONS) this.take(oldest);
      else if (this.#heldBytes <= MAX_HELD_BYTES) break;
      else if (events !== null) {
        this.#heldBytes -= bytes;
        this.#byName.set(oldest, { place, events: null, bytes });
      }
    }
  }

  /** Found in the log, where it stood before this stream began. */
  note(name: string, place: LogPlace): void {
    if (!this.#byName.has(name)) this.hold(name, { place, events: null, bytes: 0 });
  }

  /** Its outcome was read. Null for one that was not met. */
  take(name: string): PreparedTransaction | null {
    const prepared = this.#byName.get(name);
    if (prepared === undefined) return null;
    this.#byName.delete(name);
    if (prepared.events !== null) this.#heldBytes -= prepared.bytes;
    return prepared;
  }
}

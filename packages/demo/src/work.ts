import type { Answer } from "./place.ts";

/** What the demo itself has done on the primary: transactions whose commit was answered, and the rows they changed. */
export class Work {
  #transactions = 0;
  #events = 0;

  get transactions(): number {
    return this.#transactions;
  }

  get events(): number {
    return this.#events;
  }

  /** Counts one transaction by what the server answered. */
  committed({ changed }: Answer): void {
    this.#transactions += 1;
    this.#events += changed;
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { bankSqlOf } from "./bank-sql.ts";
import { TOTAL } from "./bank-tables.ts";
import { engineOfPlace, overLostPlace } from "./place.ts";

const READ_EVERY_MS = 20;

/** Adds up a replica's accounts again and again: no whole number of transactions gives another total. */
export class TotalReader {
  #reads = 0;
  #torn = 0;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  get reads(): number {
    return this.#reads;
  }

  get torn(): number {
    return this.#torn;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { total } = bankSqlOf(engineOfPlace(this.#url));
    await overLostPlace(this.#url, signal, async (session) => {
      const { rows } = await session.query(total);
      this.#reads += 1;
      if (rows[0]?.["total"] !== TOTAL) this.#torn += 1;
      await sleep(READ_EVERY_MS);
    });
  }
}

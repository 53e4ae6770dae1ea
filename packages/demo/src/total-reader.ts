import { setTimeout as sleep } from "node:timers/promises";
import { overLostConnections } from "@lockstep/testkit/servers";
import { TOTAL } from "./bank-tables.ts";

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
    await overLostConnections(this.#url, signal, async (client) => {
      const { rows } = await client.query<{ total: string }>(
        "select sum(balance)::text as total from accounts",
      );
      this.#reads += 1;
      if (rows[0]?.total !== TOTAL) this.#torn += 1;
      await sleep(READ_EVERY_MS);
    });
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** The table into which an application commits. */
export const ORDERS = "create table orders (id bigint primary key, customer_id int not null, note text)";

/** What a session of the application's asks of its commits; `local` and `off` wait for nobody. */
export type SynchronousCommit = "on" | "remote_apply";

/** What the application saw over some time. */
export interface Committed {
  readonly perSecond: number;
  /** From the call until the commit's answer, unsorted. */
  readonly latenciesMs: readonly number[];
}

interface Options {
  readonly url: string;
  readonly clients: number;
  readonly synchronousCommit: SynchronousCommit;
}

const IDS_EACH = 1_000_000_000;

/** An unmodified application: clients with a connection each, which commit one row at a time. */
export class Application implements AsyncDisposable {
  readonly #clients: readonly Client[];
  readonly #first: number;
  #next = 0;

  /** `first`: no other application on this database has the same. */
  static async connect({ url, clients, synchronousCommit }: Options, first: number): Promise<Application> {
    const all = Array.from(
      { length: clients },
      () => new Client({ connectionString: url, options: `-c synchronous_commit=${synchronousCommit}` }),
    );
    await Promise.all(all.map(async (client) => await client.connect()));
    return new Application(all, first * IDS_EACH);
  }

  private constructor(clients: readonly Client[], first: number) {
    this.#clients = clients;
    this.#first = first;
  }

  /** Each client commits as fast as it is answered. */
  async commitFor(seconds: number): Promise<Committed> {
    const latenciesMs: number[] = [];
    const begunMs = performance.now();
    const untilMs = begunMs + seconds * 1_000;
    await Promise.all(
      this.#clients.map(async (client) => {
        for (let nowMs = performance.now(); nowMs < untilMs;) {
          await this.#commit(client);
          const answeredMs = performance.now();
          latenciesMs.push(answeredMs - nowMs);
          nowMs = answeredMs;
        }
      }),
    );
    return committed(latenciesMs, begunMs);
  }

  /** So many commits a second, however long they take: what finds no client free waits for one, and that counts. */
  async commitEvenly(perSecond: number, seconds: number): Promise<Committed> {
    const latenciesMs: number[] = [];
    const count = Math.round(perSecond * seconds);
    let next = 0;
    const begunMs = performance.now();
    await Promise.all(
      this.#clients.map(async (client) => {
        for (let at = next++; at < count; at = next++) {
          const dueMs = begunMs + (at / perSecond) * 1_000;
          const earlyMs = dueMs - performance.now();
          if (earlyMs > 0) await sleep(earlyMs);
          const sinceMs = earlyMs > 0 ? performance.now() : dueMs; // A timer that is late is no wait of the application's.
          await this.#commit(client);
          latenciesMs.push(performance.now() - sinceMs);
        }
      }),
    );
    return committed(latenciesMs, begunMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map(async (client) => await client.end()));
  }

  async #commit(client: Client): Promise<void> {
    const id = this.#first + this.#next++;
    await client.query({
      name: "order",
      text: "insert into orders values ($1, $2, $3)",
      values: [id, id % 1_000, "one order, of about one hundred bytes, as an application's rows often are"],
    });
  }
}

function committed(latenciesMs: readonly number[], begunMs: number): Committed {
  return { perSecond: latenciesMs.length / ((performance.now() - begunMs) / 1_000), latenciesMs };
}

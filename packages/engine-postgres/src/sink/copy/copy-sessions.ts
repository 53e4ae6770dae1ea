import type { Client } from "pg";
import type { Connected } from "../../connection.ts";
import { connectReplica, type ReplicaConnection } from "../replica-session.ts";

/** Sessions that write copies: as many as write at the same time. One that failed is not used again. */
export class CopySessions implements AsyncDisposable {
  readonly #connection: ReplicaConnection;
  readonly #signal: AbortSignal;
  readonly #idle: Connected[] = [];
  readonly #all = new Set<Connected>();

  constructor(connection: ReplicaConnection, signal: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
  }

  /** A session of the caller's own until it is given back. */
  async take(): Promise<Connected> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const connected = await connectReplica(this.#connection, this.#signal);
    this.#all.add(connected);
    return connected;
  }

  giveBack(connected: Connected): void {
    this.#idle.push(connected);
  }

  async discard(connected: Connected): Promise<void> {
    this.#all.delete(connected);
    connected.client.connection.stream.destroy(); // What it had begun is rolled back.
    await connected[Symbol.asyncDispose]();
  }

  /** Runs work on a session. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const connected = await this.take();
    let isWell = false;
    try {
      const result = await work(connected.client);
      isWell = true;
      return result;
    } finally {
      if (isWell) this.giveBack(connected);
      else await this.discard(connected);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map(async (connected) => await this.discard(connected)));
  }
}

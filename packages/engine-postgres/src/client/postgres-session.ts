import type { PooledSession } from "@lockstep/core";
import type { Client } from "pg";
import type { Connected } from "../connection.ts";

/** A session of `pg`. */
export class PostgresSession implements PooledSession {
  readonly client: Client;
  readonly #connected: Connected;
  isLost = false;

  constructor(connected: Connected) {
    this.#connected = connected;
    this.client = connected.client;
    const lost = (): void => void (this.isLost = true);
    this.client.on("error", lost);
    this.client.on("end", lost);
  }

  get isIdle(): boolean {
    return !this.isLost && this.client.getTransactionStatus() === "I";
  }

  async rollBack(): Promise<boolean> {
    if (!this.isLost) await this.client.query("rollback").catch(() => undefined);
    return this.isIdle;
  }

  async end(): Promise<void> {
    await this.#connected[Symbol.asyncDispose]();
  }
}

import type { ClientDatabase } from "@lockstep/core";
import type { Config, PrimaryConfig } from "../config-schema.ts";
import type { CreateClient } from "../engines.ts";

export interface ClientsOptions {
  readonly config: Config;
  readonly folder: string;
  /** To each database. */
  readonly maxSessions: number;
  readonly create: CreateClient;
}

/** An application's own sessions with the databases of a pipeline, opened where they are used. */
export class Clients implements AsyncDisposable {
  readonly #options: ClientsOptions;
  readonly #open = new Map<string, ClientDatabase>();

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  get primary(): ClientDatabase {
    return this.#client(this.#options.config.primary, false);
  }

  /** Where a read falls back to: what it may not do on a replica it may not do there. */
  get primaryForReading(): ClientDatabase {
    return this.#client(this.#options.config.primary, true);
  }

  replica(name: string): ClientDatabase {
    const replica = this.#options.config.replicas.find((candidate) => candidate.name === name);
    if (replica === undefined) throw new TypeError(`${name} is no replica of the pipeline`);
    return this.#client(replica, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map(async (client) => await client[Symbol.asyncDispose]()));
  }

  #client(database: PrimaryConfig, isReadOnly: boolean): ClientDatabase {
    const { config, folder, maxSessions, create } = this.#options;
    const key = `${database.name} ${isReadOnly ? "reads" : "writes"}`;
    const open = this.#open.get(key);
    if (open !== undefined) return open;
    const client = create(database, { config, folder, maxSessions, isReadOnly });
    this.#open.set(key, client);
    return client;
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** A table of the bench's own: replicas show commits in order, so one that shows a marker shows all before it. */
export const MARKERS = "create table markers (id int primary key);";

const DEADLINE_MS = 1_800_000;

interface ShownOptions {
  /** How long to wait between two looks; 0 for none. */
  readonly pollMs: number;
  /** Throws when there is nothing to wait for. */
  readonly check?: () => void;
}

/** Commits markers on the primary, and sees them on the replicas, on connections of its own. */
export class Marker implements AsyncDisposable {
  readonly #primary: Client;
  readonly #replicas: readonly Client[];
  #id = 0;

  static async connect(primaryUrl: string, replicaUrls: readonly string[]): Promise<Marker> {
    const [primary, ...replicas] = [primaryUrl, ...replicaUrls].map(
      (url) => new Client({ connectionString: url }),
    );
    if (primary === undefined) throw new Error("a marker needs a primary");
    await Promise.all([primary, ...replicas].map(async (client) => await client.connect()));
    return new Marker(primary, replicas);
  }

  private constructor(primary: Client, replicas: readonly Client[]) {
    this.#primary = primary;
    this.#replicas = replicas;
  }

  /** Commits the next one; resolves, with the time, when the commit was answered. */
  async commit(): Promise<number> {
    this.#id += 1;
    await this.#primary.query({
      name: "mark",
      text: "insert into markers values ($1)",
      values: [this.#id],
    });
    return performance.now();
  }

  /** Resolves, with the time at which each replica showed the last marker, when all of them do. */
  async shown({ pollMs, check }: ShownOptions): Promise<number[]> {
    const untilMs = performance.now() + DEADLINE_MS;
    return await Promise.all(
      this.#replicas.map(async (client) => {
        const look = { name: "look", text: "select from markers where id = $1", values: [this.#id] };
        while ((await client.query(look)).rowCount === 0) {
          if (performance.now() > untilMs) throw new Error(`no marker within ${DEADLINE_MS} ms`);
          check?.();
          if (pollMs > 0) await sleep(pollMs);
        }
        return performance.now();
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#primary, ...this.#replicas].map(async (client) => await client.end()));
  }
}

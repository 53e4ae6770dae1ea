import { setTimeout as sleep } from "node:timers/promises";
import type { BenchServers, MarkerClient } from "./bench-servers.ts";

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
  readonly #primary: MarkerClient;
  readonly #replicas: readonly MarkerClient[];
  #id = 0;

  static async connect(
    servers: Pick<BenchServers, "connect">,
    primaryUrl: string,
    replicaUrls: readonly string[],
  ): Promise<Marker> {
    const [primary, ...replicas] = await Promise.all(
      [primaryUrl, ...replicaUrls].map(async (url) => await servers.connect(url)),
    );
    if (primary === undefined) throw new Error("a marker needs a primary");
    return new Marker(primary, replicas);
  }

  private constructor(primary: MarkerClient, replicas: readonly MarkerClient[]) {
    this.#primary = primary;
    this.#replicas = replicas;
  }

  /** Commits the next one; resolves, with the time, when the commit was answered. */
  async commit(): Promise<number> {
    this.#id += 1;
    await this.#primary.commit(this.#id);
    return performance.now();
  }

  /** Resolves, with the time at which each replica showed the last marker, when all of them do. */
  async shown({ pollMs, check }: ShownOptions): Promise<number[]> {
    const untilMs = performance.now() + DEADLINE_MS;
    return await Promise.all(
      this.#replicas.map(async (client) => {
        while (!(await client.shows(this.#id))) {
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

import { differing } from "../ground-truth.ts";
import { percentile } from "../medians.ts";
import { Meter } from "../meter.ts";
import { execute, type Servers } from "../servers.ts";
import type { Side } from "../side.ts";
import { until } from "../until.ts";
import { Application, ORDERS, type Committed, type SynchronousCommit } from "./application.ts";
import type { Stretch } from "./figures.ts";

/** What compiles while it runs is slow at first. */
const MAX_WARM_UP_SECONDS = 3;

export interface StretchOptions {
  readonly title: string;
  readonly clients: number;
  readonly synchronousCommit: SynchronousCommit;
  readonly seconds: number;
  /** Commits a second; null: as fast as they are answered. */
  readonly rate: number | null;
}

interface TurnOptions {
  readonly servers: Servers;
  readonly database: string;
  readonly side: Pick<Side, "check" | "cpuSeconds">;
  readonly say: (line: string) => void;
}

/** What has no replication. */
export const NOTHING = { check: (): void => undefined, cpuSeconds: (): Record<string, never> => ({}) };

/** An application beside one side. */
export class CommitTurn {
  readonly #options: TurnOptions;
  #applications = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /** Resolves when every replica has what was committed. */
  async take(options: StretchOptions): Promise<Stretch> {
    const { servers, side, database, say } = this.#options;
    const { rate, seconds } = options;
    const url = servers.primary.url(database);
    await using application = await Application.connect({ ...options, url }, this.#applications++);
    const commit = async (forSeconds: number): Promise<Committed> =>
      await (rate === null ? application.commitFor(forSeconds) : application.commitEvenly(rate, forSeconds));
    await commit(Math.min(seconds, MAX_WARM_UP_SECONDS));
    const meter = new Meter(servers, side);
    const committed = await commit(seconds);
    const stretch = { ...committed, metered: meter.stop() };
    say(lineOf(options.title, stretch));
    await this.#caughtUp();
    return stretch;
  }

  async #caughtUp(): Promise<void> {
    const { servers, side, database } = this.#options;
    const primaryUrl = servers.primary.url(database);
    for (const replica of servers.replicas) {
      await until("the replicas have caught up", async () => {
        side.check();
        return (await differing(primaryUrl, replica.url(database))).length === 0;
      });
    }
  }
}

/** Databases that nobody had before, as long as the work needs them. */
export async function onDatabases<T>(servers: Servers, database: string, work: () => Promise<T>): Promise<T> {
  await servers.createDatabases(database);
  const all = [servers.primary, ...servers.replicas];
  await Promise.all(all.map(async (server) => await execute(server.url(database), ORDERS)));
  const result = await work();
  await servers.dropDatabases(database);
  return result;
}

function lineOf(title: string, { perSecond, latenciesMs, metered }: Stretch): string {
  const rate = Math.round(perSecond).toLocaleString("en").padStart(6);
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(latenciesMs, share).toFixed(2));
  const parts = Object.entries(metered.cpuParts).map(
    ([part, value]) => `${part} ${value?.toFixed(1) ?? "unknown"}`,
  );
  const other = metered.otherCpuSeconds?.toFixed(1) ?? "unknown";
  return `  ${title.padEnd(40)} ${rate}/s, p50 ${p50} ms, p99 ${p99} ms; processors: ${parts.join(", ")}, everything else ${other} s`;
}

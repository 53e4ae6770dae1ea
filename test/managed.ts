import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseReplicationManager, type Logger, type ReplicationConfig } from "lockstep";
import { engineOf, eventually, uniqueName } from "@lockstep/testkit";
import { executeOn } from "./places.ts";

const nothing = (): void => undefined;
/** A program's own; what matters is seen in what the library does. */
export const QUIET: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A manager in this process, and the databases that it replicates. */
export interface Managed extends AsyncDisposable {
  readonly manager: DatabaseReplicationManager;
  readonly config: ReplicationConfig;
  readonly primaryUrl: string;
  readonly replicaUrls: readonly string[];
  onPrimary(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Every replica has gone through its first copy. */
  untilLive(): Promise<void>;
}

/** With the embedded log, and whatever of the configuration is given. */
export async function managed(
  urls: readonly string[],
  more: Partial<ReplicationConfig> = {},
): Promise<Managed> {
  const [primaryUrl = "", ...replicaUrls] = urls;
  const folder = await mkdtemp(join(tmpdir(), "lockstep-library-"));
  const config: ReplicationConfig = {
    pipeline: uniqueName("shop"),
    primary: { name: "main", engine: engineOf(primaryUrl), url: primaryUrl },
    replicas: replicaUrls.map((url, index) => ({ name: `replica-${index + 1}`, engine: engineOf(url), url })),
    log: { embedded: { path: join(folder, "log") } },
    ...(engineOf(primaryUrl) === "postgres" ? { tables: { include: ["public.*"] } } : {}),
    ...more,
  };
  const manager = new DatabaseReplicationManager(config, { logger: QUIET });
  return {
    manager,
    config,
    primaryUrl,
    replicaUrls,
    onPrimary: async (sql, values) => await executeOn(primaryUrl, sql, values),
    untilLive: async () => {
      await eventually("replicas are live", async () => {
        const { healthyReplicas, totalReplicas } = await Promise.resolve(manager.status());
        if (healthyReplicas < totalReplicas) throw new Error(`${healthyReplicas} of ${totalReplicas}`);
      });
    },
    [Symbol.asyncDispose]: async () => await manager.stop(),
  };
}

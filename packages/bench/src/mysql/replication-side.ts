import type { MysqlServer } from "@lockstep/testkit/servers";
import type { Side } from "../side.ts";
import { until } from "../until.ts";
import { OWN_REPLICATION, type OwnReplication } from "./own-replication.ts";

interface Pair {
  readonly primary: MysqlServer;
  readonly replicas: readonly MysqlServer[];
}

/** The server's own replication from the moment of its creation: it has no first copy of rows. */
export class ReplicationSide implements Side {
  readonly name = "native";
  readonly #servers: Pair;
  readonly #own: OwnReplication;

  static async create(servers: Pair): Promise<ReplicationSide> {
    const own = OWN_REPLICATION[servers.primary.flavour];
    const begin = own.beginAt(await positionOf(servers.primary, own));
    const side = new ReplicationSide(servers, own);
    await side.#onReplicas(begin);
    await side.#onReplicas(own.follow(servers.primary));
    return side;
  }

  private constructor(servers: Pair, own: OwnReplication) {
    this.#servers = servers;
    this.#own = own;
  }

  async start(): Promise<void> {
    await this.#onReplicas(this.#own.start);
  }

  async copied(): Promise<void> {
    await this.following();
  }

  async following(): Promise<void> {
    const { primary, replicas } = this.#servers;
    const applied = this.#own.hasApplied(await positionOf(primary, this.#own));
    await Promise.all(
      replicas.map(async (replica, index) => {
        await until(`replica ${index + 1} has applied what there is`, async () => {
          await throwItsError(replica);
          return (await replica.query<{ applied: string }>(applied))[0]?.applied === "1";
        });
      }),
    );
  }

  async pause(): Promise<void> {
    await this.#onReplicas(this.#own.stop);
  }

  async resume(): Promise<void> {
    await this.#onReplicas(this.#own.start);
  }

  check(): void {
    // What never comes runs into a deadline.
  }

  cpuSeconds(): Readonly<Record<string, never>> {
    return {}; // All of its threads are the servers'.
  }

  peakRssMb(): null {
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#onReplicas(this.#own.stop);
    await this.#onReplicas(this.#own.forget);
  }

  async #onReplicas(sql: string): Promise<void> {
    await Promise.all(this.#servers.replicas.map(async (replica) => await replica.query(sql)));
  }
}

async function positionOf(primary: MysqlServer, { position }: OwnReplication): Promise<string> {
  return (await primary.query<{ position: string }>(position))[0]?.position ?? "";
}

async function throwItsError(replica: MysqlServer): Promise<void> {
  const [status] = await replica.query("show replica status");
  const error = [status?.["Last_SQL_Error"], status?.["Last_IO_Error"]].find(
    (text) => text !== undefined && text !== null && text !== "",
  );
  if (error !== undefined) throw new Error(`its own replication stopped: ${error}`);
}

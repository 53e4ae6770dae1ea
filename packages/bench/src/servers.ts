import { availableParallelism } from "node:os";
import {
  KAFKA_VERSION,
  startKafka,
  startPostgresServers,
  withClient,
  type KafkaBroker,
  type PostgresServer,
} from "@lockstep/testkit/servers";
import type { BenchServers, MarkerClient } from "./bench-servers.ts";
import { differing } from "./ground-truth.ts";
import { sumOfKnown } from "./medians.ts";
import { connectPostgres } from "./postgres-marker.ts";
import type { Machine } from "./result.ts";
import { SubscriptionSide } from "./subscription-side.ts";

export type LogKind = "kafka" | "embedded";

/** What a server of some size has; everything else is the testkit's (fsync on, wal_level = logical). */
const SETTINGS = { shared_buffers: "512MB" };

/** PostgreSQL's. All turns share them. */
export class Servers implements BenchServers {
  readonly engine = "postgres";
  readonly primary: PostgresServer;
  readonly replicas: readonly PostgresServer[];
  readonly broker: KafkaBroker | null;
  readonly machine: Machine;

  static async start(replicas: number, log: LogKind): Promise<Servers> {
    const [servers, broker] = await Promise.all([
      startPostgresServers(1 + replicas, { settings: SETTINGS }),
      log === "kafka" ? startKafka({ isMeasured: true }) : null,
    ]);
    const [primary, ...others] = servers;
    if (primary === undefined) throw new Error("a bench needs a primary");
    const [row] = await primary.query<{ server_version: string }>("show server_version");
    return new Servers(primary, others, broker, {
      cores: availableParallelism(),
      node: process.versions.node,
      postgres: row?.server_version ?? "",
      kafka: broker === null ? null : KAFKA_VERSION,
    });
  }

  private constructor(
    primary: PostgresServer,
    replicas: readonly PostgresServer[],
    broker: KafkaBroker | null,
    machine: Machine,
  ) {
    this.primary = primary;
    this.replicas = replicas;
    this.broker = broker;
    this.machine = machine;
  }

  /** The same, with the first of the replicas alone; not to be disposed of. */
  withReplicas(count: number): Servers {
    const { primary, replicas, broker, machine } = this;
    return new Servers(primary, replicas.slice(0, count), broker, machine);
  }

  cpuSeconds(): { readonly primary: number | null; readonly replicas: number | null } {
    const replicas = this.replicas.map((server) => server.cpuSeconds());
    return { primary: this.primary.cpuSeconds(), replicas: sumOfKnown(replicas) };
  }

  async createDatabases(name: string): Promise<void> {
    await this.#everywhere(`create database ${name}`);
  }

  async dropDatabases(name: string): Promise<void> {
    await this.#everywhere(`drop database ${name} with (force)`);
  }

  async checkpoint(): Promise<void> {
    await this.#everywhere("checkpoint");
  }

  schemaOf(): string {
    return "public";
  }

  async execute(url: string, sql: string): Promise<void> {
    await execute(url, sql);
  }

  async count(url: string, sql: string): Promise<number> {
    return await withClient(url, async (client) => {
      const { rows } = await client.query<{ count: string }>(`select (${sql}) as count`);
      return Number(rows[0]?.count);
    });
  }

  async connect(url: string): Promise<MarkerClient> {
    return await connectPostgres(url);
  }

  async differing(primaryUrl: string, replicaUrl: string): Promise<string[]> {
    return await differing(primaryUrl, replicaUrl);
  }

  async nativeSide(database: string): Promise<SubscriptionSide> {
    return await Promise.resolve(new SubscriptionSide(this, database));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker?.[Symbol.asyncDispose]();
    await Promise.all(this.#all.map(async (server) => await server[Symbol.asyncDispose]()));
  }

  get #all(): readonly PostgresServer[] {
    return [this.primary, ...this.replicas];
  }

  async #everywhere(sql: string): Promise<void> {
    await Promise.all(this.#all.map(async (server) => await server.query(sql)));
  }
}

export async function execute(url: string, sql: string): Promise<void> {
  await withClient(url, async (client) => await client.query(sql));
}

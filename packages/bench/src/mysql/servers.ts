import { availableParallelism } from "node:os";
import {
  KAFKA_VERSION,
  mysqlDigest,
  queryMysql,
  startKafka,
  startMysql,
  type KafkaBroker,
  type MysqlFlavour,
  type MysqlServer,
} from "@lockstep/testkit/servers";
import type { BenchServers, MarkerClient } from "../bench-servers.ts";
import { sumOfKnown } from "../medians.ts";
import type { Machine } from "../result.ts";
import type { LogKind } from "../servers.ts";
import { until } from "../until.ts";
import { connectMysql } from "./marker.ts";
import { OWN_REPLICATION } from "./own-replication.ts";
import { ReplicationSide } from "./replication-side.ts";

/** What a server of some size has; everything else is the testkit's. */
const SETTINGS = { "innodb-buffer-pool-size": "512M", "innodb-io-capacity": "10000" };
const LOG_SETTINGS: Readonly<Record<MysqlFlavour, Readonly<Record<string, string>>>> = {
  mysql: { "innodb-redo-log-capacity": "2G" },
  mariadb: { "innodb-log-file-size": "2G" },
};
/** There are always a few that somebody has just touched. */
const FEW_DIRTY_PAGES = 100;

/** Of MySQL or MariaDB. All turns share them. */
export class MysqlServers implements BenchServers {
  readonly engine: MysqlFlavour;
  readonly primary: MysqlServer;
  readonly replicas: readonly MysqlServer[];
  readonly broker: KafkaBroker | null;
  readonly machine: Machine;

  static async start(flavour: MysqlFlavour, replicas: number, log: LogKind): Promise<MysqlServers> {
    const settings = { ...SETTINGS, ...LOG_SETTINGS[flavour] };
    const [primary, broker, ...others] = await Promise.all([
      startMysql(flavour, { settings }),
      log === "kafka" ? startKafka({ isMeasured: true }) : null,
      ...Array.from({ length: replicas }, async () => {
        return await startMysql(flavour, { settings: { ...settings, ...OWN_REPLICATION[flavour].settings } });
      }),
    ]);
    const [row] = await primary.query<{ version: string }>("select version() as version");
    return new MysqlServers(primary, others, broker, {
      cores: availableParallelism(),
      node: process.versions.node,
      [flavour]: /^[\d.]+/.exec(row?.version ?? "")?.[0] ?? "",
      kafka: broker === null ? null : KAFKA_VERSION,
    });
  }

  private constructor(
    primary: MysqlServer,
    replicas: readonly MysqlServer[],
    broker: KafkaBroker | null,
    machine: Machine,
  ) {
    this.engine = primary.flavour;
    this.primary = primary;
    this.replicas = replicas;
    this.broker = broker;
    this.machine = machine;
  }

  cpuSeconds(): { readonly primary: number | null; readonly replicas: number | null } {
    const replicas = this.replicas.map((server) => server.cpuSeconds());
    return { primary: this.primary.cpuSeconds(), replicas: sumOfKnown(replicas) };
  }

  async createDatabases(name: string): Promise<void> {
    await this.#everywhere(`create database ${name}`);
  }

  async dropDatabases(name: string): Promise<void> {
    await this.#everywhere(`drop database ${name}`);
  }

  async checkpoint(): Promise<void> {
    await this.#everywhere(
      "set global innodb_max_dirty_pages_pct_lwm = 0, global innodb_max_dirty_pages_pct = 0",
    );
    await Promise.all(
      this.#all.map(async (server) => {
        await until("pages are written", async () => {
          const sql = "show global status like 'Innodb_buffer_pool_pages_dirty'";
          const [row] = await server.query<{ Value: string }>(sql);
          return Number(row?.Value) <= FEW_DIRTY_PAGES;
        });
      }),
    );
    await this.#everywhere("set global innodb_max_dirty_pages_pct = 90");
  }

  schemaOf(database: string): string {
    return database;
  }

  async execute(url: string, sql: string): Promise<void> {
    await queryMysql(url, sql);
  }

  async count(url: string, sql: string): Promise<number> {
    const [row] = await queryMysql<{ count: string }>(url, `select (${sql}) as count`);
    return Number(row?.count);
  }

  async connect(url: string): Promise<MarkerClient> {
    return await connectMysql(url);
  }

  async differing(primaryUrl: string, replicaUrl: string): Promise<string[]> {
    const [wanted, found] = await Promise.all([mysqlDigest(primaryUrl), mysqlDigest(replicaUrl)]);
    if (Object.keys(wanted).length === 0) throw new Error("there is nothing to compare");
    return Object.keys(wanted).filter((table) => wanted[table] !== found[table]);
  }

  async nativeSide(): Promise<ReplicationSide> {
    return await ReplicationSide.create(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.broker?.[Symbol.asyncDispose]();
    await Promise.all(this.#all.map(async (server) => await server[Symbol.asyncDispose]()));
  }

  get #all(): readonly MysqlServer[] {
    return [this.primary, ...this.replicas];
  }

  async #everywhere(sql: string): Promise<void> {
    await Promise.all(this.#all.map(async (server) => await server.query(sql)));
  }
}

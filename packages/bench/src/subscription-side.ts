import type { PostgresServer } from "@lockstep/testkit/servers";
import type { Servers } from "./servers.ts";
import type { Side } from "./side.ts";
import { until } from "./until.ts";

/** A publication, and a subscription on each replica with nothing but what PostgreSQL gives it by itself. */
export class SubscriptionSide implements Side {
  readonly name = "native";
  readonly #servers: Servers;
  readonly #database: string;
  readonly #options: string;

  /** `isDurable`: a subscription says that it has what is on its disk, and nothing else. */
  constructor(
    servers: Servers,
    database: string,
    { isDurable }: { readonly isDurable: boolean } = { isDurable: false },
  ) {
    this.#servers = servers;
    this.#database = database;
    this.#options = isDurable ? " with (synchronous_commit = on)" : "";
  }

  async start(): Promise<void> {
    const { primary } = this.#servers;
    await primary.query(`create publication ${this.#database} for all tables`, [], this.#database);
    await this.#giveOwnOids();
    const connection = `host=127.0.0.1 port=${primary.port} user=postgres dbname=${this.#database}`;
    await this.#onReplicas(
      (name) =>
        `create subscription ${name} connection '${connection}' publication ${this.#database}${this.#options}`,
    );
  }

  /** `f`, `s` and `r`: all rows are there and committed; what comes then is the subscription's catching up. */
  async copied(): Promise<void> {
    await this.#reached("fsr");
  }

  async following(): Promise<void> {
    await this.#reached("r");
  }

  async pause(): Promise<void> {
    await this.#onReplicas((name) => `alter subscription ${name} disable`);
    const slots = "select from pg_replication_slots where database = $1 and active";
    await until("no slot is active", async () => {
      return (await this.#servers.primary.query(slots, [this.#database])).length === 0;
    });
  }

  async resume(): Promise<void> {
    await this.#onReplicas((name) => `alter subscription ${name} enable`);
  }

  /** From now on commits wait for so many subscriptions, if their sessions want to. */
  async waitOn(quorum: number): Promise<void> {
    const { primary, replicas } = this.#servers;
    const names = replicas.map((_, index) => this.#subscription(index));
    await primary.query(`alter system set synchronous_standby_names = 'ANY ${quorum} (${names.join(", ")})'`);
    await primary.query("select pg_reload_conf()");
    const synchronous =
      "select from pg_stat_replication where sync_state = 'quorum' and application_name = any($1)";
    await until("commits wait for subscriptions", async () => {
      return (await primary.query(synchronous, [names])).length === names.length;
    });
  }

  async waitOff(): Promise<void> {
    const { primary } = this.#servers;
    await primary.query("alter system reset synchronous_standby_names");
    await primary.query("select pg_reload_conf()");
    const synchronous = "select from pg_stat_replication where sync_state <> 'async'";
    await until("commits wait for nobody", async () => (await primary.query(synchronous)).length === 0);
  }

  check(): void {
    // The server starts its workers again; what never comes runs into a deadline.
  }

  cpuSeconds(): Readonly<Record<string, never>> {
    return {}; // All of its processes are the servers'.
  }

  peakRssMb(): null {
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#onReplicas((name) => `drop subscription ${name}`);
  }

  async #reached(states: string): Promise<void> {
    const sql = "select from pg_subscription_rel where strpos($1, srsubstate::text) = 0";
    await Promise.all(
      this.#servers.replicas.map(async (server, index) => {
        await until(
          `tables of subscription ${index + 1} are in state ${states.split("").join(" or ")}`,
          async () => {
            return (await server.query(sql, [states], this.#database)).length === 0;
          },
        );
      }),
    );
  }

  /**
   * A subscription's slots for first copies are named on the primary by its oid and by the replica's system
   * identifier. Our servers have that from one initdb, and the same history, so each is made to count on alone.
   */
  async #giveOwnOids(): Promise<void> {
    await Promise.all(
      this.#servers.replicas.map(async (server, index) => {
        const sql = "select lo_unlink(lo_create(0)) from generate_series(1, $1::int)";
        await server.query(sql, [index], this.#database);
      }),
    );
  }

  async #onReplicas(sql: (subscription: string) => string): Promise<void> {
    await Promise.all(
      this.#servers.replicas.map(
        async (server: PostgresServer, index) =>
          await server.query(sql(this.#subscription(index)), [], this.#database),
      ),
    );
  }

  #subscription(index: number): string {
    return `${this.#database}_${index + 1}`;
  }
}

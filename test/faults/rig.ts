import { dirname, join } from "node:path";
import {
  Bank,
  bankTables,
  engineOf,
  eventually,
  fillableDisk,
  freePort,
  queryDatabase,
  startDatabaseServer,
  startKafka,
  TcpProxy,
  uniqueName,
  type DatabaseEngine,
  type DatabaseServer,
  type FillableDisk,
  type KafkaBroker,
  type LockstepProcess,
} from "@lockstep/testkit";
import { Scenario } from "../scenario.ts";
import type { LogKind } from "./fault.ts";

/** What large transactions write, beside the bank. */
const PAGES_TABLE = "create table pages (id bigint primary key, filler text);";
const ENGINES: readonly DatabaseEngine[] = ["postgres", "postgres", "postgres"];
/** A link that died in silence at the same time may keep it from that for as long as it takes to notice. */
const PRINTED_MS = 90_000;

/** What can break: a server together with the link to it. */
export type Part = "primary" | "replica" | "broker";

/** A server, and the link over which lockstep reaches it. */
export interface Reached<Server> {
  readonly server: Server;
  readonly link: TcpProxy;
}

export interface ReachedDatabase extends Reached<DatabaseServer> {
  /** Past the link. */
  readonly url: string;
}

interface RigOptions {
  readonly primary: ReachedDatabase;
  readonly replicas: readonly ReachedDatabase[];
  readonly broker: Reached<KafkaBroker> | null;
  readonly logDisk: FillableDisk | null;
  readonly scenario: Scenario;
  readonly tables: readonly string[];
}

/** What a rig has beyond the bank. */
interface RigExtras {
  /** See `ScenarioOptions`. */
  readonly bin?: string;
  /** Of the primary, then of each replica; default: PostgreSQL. */
  readonly engines?: readonly DatabaseEngine[];
  /** A table more, and the statement that creates it. */
  readonly table?: { readonly name: string; readonly definition: string };
}

/** One pipeline of replicas, each part of it behind a link that can be broken, and a bank on its primary. */
export class Rig implements AsyncDisposable {
  readonly primary: ReachedDatabase;
  readonly replicas: readonly ReachedDatabase[];
  readonly scenario: Scenario;
  readonly bank: Bank;
  /** The names of all its tables. */
  readonly tables: readonly string[];
  readonly #broker: Reached<KafkaBroker> | null;
  readonly #logDisk: FillableDisk | null;
  readonly #runs = new Set<LockstepProcess>();

  static async start(log: LogKind, { bin, table, engines = ENGINES }: RigExtras = {}): Promise<Rig> {
    const [servers, broker] = await Promise.all([
      Promise.all(engines.map(startDatabaseServer)),
      log === "kafka" ? startBroker() : null,
    ]);
    const name = uniqueName("shop");
    await Promise.all(servers.map(async (server) => await server.createDatabase(name)));
    const urls = servers.map((server) => server.url(name));
    const [primary, ...replicas] = await Promise.all(
      servers.map(async (server, index) => ({
        server,
        link: await TcpProxy.start({ targetPort: server.port }),
        url: urls[index] ?? "",
      })),
    );
    if (primary === undefined) throw new Error("a rig needs a primary");
    const reachedAs = [primary, ...replicas].map(({ url, link }) => withPort(url, link.port));
    const brokers = broker === null ? {} : { brokers: broker.server.brokers };
    const program = bin === undefined ? {} : { bin };
    const scenario = await Scenario.create({ urls, reachedAs, ...brokers, ...program });
    const folder = join(dirname(scenario.configPath), "log");
    const logDisk = broker === null ? await fillableDisk(folder) : null;
    const tables = ["accounts", "transfers", "pages", ...(table === undefined ? [] : [table.name])];
    const rig = new Rig({ primary, replicas, broker, logDisk, scenario, tables });
    await rig.#open(table?.definition ?? "");
    return rig;
  }

  private constructor({ primary, replicas, broker, logDisk, scenario, tables }: RigOptions) {
    this.primary = primary;
    this.replicas = replicas;
    this.#broker = broker;
    this.#logDisk = logDisk;
    this.scenario = scenario;
    this.tables = tables;
    this.bank = new Bank(scenario.primaryUrl, { accounts: 50, clients: 4, pauseMs: 5 });
  }

  get broker(): Reached<KafkaBroker> {
    if (this.#broker === null) throw new Error("the embedded log has no broker");
    return this.#broker;
  }

  /** Where the topic is; null where the log is embedded. */
  get brokers(): readonly string[] | null {
    return this.#broker?.server.brokers ?? null;
  }

  /** Where the embedded log lies. */
  get logDisk(): FillableDisk {
    if (this.#logDisk === null) throw new Error("the log lies with a broker");
    return this.#logDisk;
  }

  get topic(): string {
    return `lockstep.${this.scenario.pipeline}`;
  }

  /** Those of this round that have not ended, the newest first. */
  get runs(): readonly LockstepProcess[] {
    return [...this.#runs].filter(({ hasExited }) => !hasExited).toReversed();
  }

  /** `lockstep run`; ended with the round if it has not ended by then. */
  run(environment: Readonly<Record<string, string>> = {}): LockstepProcess {
    const run = this.scenario.run(environment);
    this.#runs.add(run);
    return run;
  }

  /** A new run that has reached both replicas. */
  async following(environment: Readonly<Record<string, string>> = {}): Promise<LockstepProcess> {
    const run = this.run(environment);
    await run.waitForLog("following", { count: this.replicas.length });
    return run;
  }

  /** A line that any run of this round prints from now on. */
  async waitForLog(text: string): Promise<void> {
    const seen = (): number =>
      [...this.#runs].flatMap(({ log }) => log).filter((line) => line.text.includes(text)).length;
    const before = seen();
    const look = async (): Promise<void> => {
      await Promise.resolve();
      if (seen() <= before) throw new Error("not yet");
    };
    await eventually(`a run prints ${text}`, look, { timeoutMs: PRINTED_MS });
  }

  /** Ends what a round has left behind. */
  async endRuns(): Promise<void> {
    for (const run of this.#runs) await run[Symbol.asyncDispose]();
    this.#runs.clear();
  }

  /** Resolves once each of these replicas has applied something that was committed after the call. */
  async progressed(replicas: readonly string[] = this.scenario.replicaUrls): Promise<void> {
    const before = this.bank.transfers;
    await eventually("the bank goes on", async () => {
      await Promise.resolve();
      if (this.bank.transfers <= before) throw new Error("no transfer since");
    });
    const [committed] = await eventually("the primary answers", async () => {
      return await queryDatabase(this.scenario.primaryUrl, "select max(id) as newest from transfers");
    });
    const id = committed?.["newest"] ?? "?";
    for (const url of replicas) {
      const look = async (): Promise<void> => {
        const found = await queryDatabase(url, `select id from transfers where id = ${id}`);
        if (found.length === 0) throw new Error(`transfer ${id} is not there`);
      };
      try {
        await eventually("replicas go on", look, { timeoutMs: 60_000 });
      } catch (error) {
        throw new Error(`a replica stands still; the runs said:\n${this.scenario.lastWords()}`, {
          cause: error,
        });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endRuns();
    await this.#logDisk?.[Symbol.asyncDispose]();
    const parts = [this.primary, ...this.replicas, ...(this.#broker === null ? [] : [this.#broker])];
    for (const { server, link } of parts) {
      await link[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    }
  }

  async #open(definition: string): Promise<void> {
    const { primaryUrl, replicaUrls } = this.scenario;
    for (const url of [primaryUrl, ...replicaUrls])
      await queryDatabase(url, `${bankTables(engineOf(url))} ${PAGES_TABLE} ${definition}`);
    await this.following();
    await this.bank.open();
    await this.scenario.expectEqual();
    await this.endRuns();
  }
}

function withPort(url: string, port: number): string {
  return Object.assign(new URL(url), { port: String(port) }).toString();
}

async function startBroker(): Promise<Reached<KafkaBroker>> {
  const port = await freePort();
  const link = await TcpProxy.start({ targetPort: port });
  return { server: await startKafka({ port, advertisedPort: link.port, hasOwnDisk: true }), link };
}

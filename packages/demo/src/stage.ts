import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  LockstepProcess,
  removeFolder,
  startKafka,
  startPostgresServers,
  temporaryFolder,
  withClient,
  type KafkaBroker,
  type PostgresServer,
} from "@lockstep/testkit/servers";
import { BANK_TABLES, OPENING } from "./bank-tables.ts";

const DATABASE = "bank";
const REPLICAS = 2;

export type LogKind = "embedded" | "kafka";

/** One database server of the demo. */
export interface Member {
  readonly name: string;
  readonly server: PostgresServer;
  readonly url: string;
}

interface StageParts {
  readonly primary: Member;
  readonly replicas: readonly Member[];
  readonly broker: KafkaBroker | null;
  readonly folder: string;
}

/** A primary with a bank on it, empty replicas, and `lockstep run` as users have it. */
export class Stage implements AsyncDisposable {
  readonly primary: Member;
  readonly replicas: readonly Member[];
  readonly version: string;
  readonly #broker: KafkaBroker | null;
  readonly #folder: string;
  readonly #lost: AbortController = new AbortController();
  #run: LockstepProcess | null = null;

  static async start(log: LogKind): Promise<Stage> {
    const [servers, broker, folder] = await Promise.all([
      startPostgresServers(1 + REPLICAS),
      log === "kafka" ? startKafka() : null,
      temporaryFolder("demo"),
    ]);
    const [primary, ...replicas] = servers.map((server, index) => ({
      name: index === 0 ? "primary" : `replica-${index}`,
      server,
      url: server.url(DATABASE),
    }));
    if (primary === undefined) throw new Error("a demo needs a primary");
    await Promise.all(servers.map(async (server) => await server.query(`create database ${DATABASE}`)));
    const version = await withClient(primary.url, async (client) => {
      await client.query(`${BANK_TABLES} ${OPENING}`);
      return (await client.query<{ server_version: string }>("show server_version")).rows[0]?.server_version;
    });
    const stage = new Stage({ primary, replicas, broker, folder }, version ?? "");
    await writeFile(stage.configPath, stage.#config());
    return stage;
  }

  private constructor({ primary, replicas, broker, folder }: StageParts, version: string) {
    this.primary = primary;
    this.replicas = replicas;
    this.version = version;
    this.#broker = broker;
    this.#folder = folder;
  }

  get configPath(): string {
    return join(this.#folder, "lockstep.yaml");
  }

  /** The process that runs now. */
  get pid(): number {
    return this.#running().pid;
  }

  /** Aborts when a process ends that nobody has killed. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** `lockstep run`. */
  startPipeline(): void {
    const run = new LockstepProcess(["run", "-c", this.configPath, "--log-format", "json"]);
    this.#run = run;
    void run.exited.then(({ code, signal }) => {
      if (this.#run !== run) return;
      const said = run.log.slice(-20).map(({ text }) => text);
      this.#lost.abort(
        new Error(`lockstep ended by itself (${signal ?? `exit code ${code}`}):\n${said.join("\n")}`),
      );
    });
  }

  /** Resolves when every replica has its copy and follows. */
  async copied(): Promise<void> {
    await this.#running().waitForLog("following", { count: REPLICAS });
  }

  /** SIGKILL. */
  async killPipeline(): Promise<void> {
    const run = this.#running();
    this.#run = null;
    run.kill("SIGKILL");
    await run.exited;
  }

  /** SIGTERM; the exit code. */
  async stopPipeline(): Promise<number | null> {
    const run = this.#running();
    this.#run = null;
    return (await run.stop()).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#run !== null) await this.killPipeline();
    await this.#broker?.[Symbol.asyncDispose]();
    const members = [this.primary, ...this.replicas];
    await Promise.all(members.map(async ({ server }) => await server[Symbol.asyncDispose]()));
    removeFolder(this.#folder);
  }

  #running(): LockstepProcess {
    if (this.#run === null) throw new Error("lockstep is not running");
    return this.#run;
  }

  #config(): string {
    const log =
      this.#broker === null
        ? "{ embedded: { path: log } }"
        : `{ kafka: { brokers: ${JSON.stringify(this.#broker.brokers)} } }`;
    return [
      "pipeline: bank",
      `log: ${log}`,
      `primary: { name: ${this.primary.name}, engine: postgres, url: "${this.primary.url}" }`,
      "replicas:",
      ...this.replicas.map(({ name, url }) => `  - { name: ${name}, engine: postgres, url: "${url}" }`),
      'tables: { include: ["public.*"] }',
      "http: { listen: 127.0.0.1:0 }",
      "",
    ].join("\n");
  }
}

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  LockstepProcess,
  removeFolder,
  startKafka,
  temporaryFolder,
  type KafkaBroker,
} from "@lockstep/testkit/servers";
import { bankSqlOf } from "./bank-sql.ts";
import { startMembers, type MemberServer } from "./member-servers.ts";
import { onPlace, type EngineName } from "./place.ts";

const DATABASE = "bank";

/** Which engines the bank and its replicas have. */
export interface Cast {
  readonly primary: EngineName;
  readonly replicas: readonly EngineName[];
}

export type LogKind = "embedded" | "kafka";

/** One database server of the demo. */
export interface Member {
  readonly name: string;
  readonly engine: EngineName;
  readonly server: MemberServer;
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

  static async start(log: LogKind, cast: Cast): Promise<Stage> {
    const [members, broker, folder] = await Promise.all([
      startMembers([cast.primary, ...cast.replicas]),
      log === "kafka" ? startKafka() : null,
      temporaryFolder("demo"),
    ]);
    const [primary, ...replicas] = members.map(({ engine, server }, index) => ({
      name: index === 0 ? "primary" : `replica-${index}`,
      engine,
      server,
      url: server.url(DATABASE),
    }));
    if (primary === undefined) throw new Error("a demo needs a primary");
    await Promise.all(members.map(async ({ server }) => await server.query(`create database ${DATABASE}`)));
    const sql = bankSqlOf(primary.engine);
    const version = await onPlace(primary.url, async (session) => {
      await session.query(sql.opening);
      return Object.values((await session.query(sql.version)).rows[0] ?? {})[0];
    });
    const stage = new Stage({ primary, replicas, broker, folder }, `${sql.product} ${String(version)}`);
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
    await this.#running().waitForLog("following", { count: this.replicas.length });
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
      `primary: { name: ${this.primary.name}, engine: ${this.primary.engine}, url: "${this.primary.url}" }`,
      "replicas:",
      ...this.replicas.map(
        ({ name, url, engine }) => `  - { name: ${name}, engine: ${engine}, url: "${url}" }`,
      ),
      ...(this.primary.engine === "postgres" ? ['tables: { include: ["public.*"] }'] : []),
      "http: { listen: 127.0.0.1:0 }",
      "",
    ].join("\n");
  }
}

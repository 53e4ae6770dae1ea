import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineOf, eventually, execute, LockstepProcess, queryDatabase, uniqueName } from "@lockstep/testkit";
import { expectEqualPlaces } from "./places.ts";

export interface ScenarioOptions {
  /** The event log in Kafka; without brokers, the embedded one. */
  readonly brokers?: readonly string[];
  readonly maxLogBytes?: number;
  /** Instead of both, `log` as in the configuration file. */
  readonly log?: string;
  /** A URL of the primary's database, then one of each replica's; each names its engine. */
  readonly urls: readonly string[];
  /** The same as the configuration has them, where a proxy stands in between. */
  readonly reachedAs?: readonly string[];
  readonly pipeline?: string;
  /** As in the configuration file; default: `["public.*"]`, and of MySQL and MariaDB the product's own. */
  readonly include?: string;
  /** Where status and metrics are served; default: at any free port of this machine. */
  readonly listen?: string;
  /** Which replicas an operator has disabled, the first one is 1. */
  readonly disabled?: readonly number[];
  /** More of the configuration file. */
  readonly extra?: string;
  /** What runs it instead of the command, and is told the same. */
  readonly bin?: string;
}

/** One pipeline as a user has it: a configuration file, and databases that it names. */
export class Scenario {
  readonly pipeline: string;
  readonly primaryUrl: string;
  readonly replicaUrls: readonly string[];
  readonly configPath: string;
  readonly #bin: string | undefined;
  readonly #runs: LockstepProcess[] = [];

  static async create(options: ScenarioOptions): Promise<Scenario> {
    const folder = await mkdtemp(join(tmpdir(), "lockstep-scenario-"));
    const scenario = new Scenario(options, join(folder, "lockstep.yaml"));
    await writeFile(scenario.configPath, scenario.#config(options));
    return scenario;
  }

  private constructor({ urls, pipeline = uniqueName("shop"), bin }: ScenarioOptions, configPath: string) {
    const [primaryUrl, ...replicaUrls] = urls;
    if (primaryUrl === undefined) throw new Error("a scenario needs a primary");
    this.pipeline = pipeline;
    this.primaryUrl = primaryUrl;
    this.replicaUrls = replicaUrls;
    this.configPath = configPath;
    this.#bin = bin;
  }

  /** Runs SQL on the primary and on every replica. */
  async everywhere(sql: string): Promise<void> {
    await Promise.all(
      [this.primaryUrl, ...this.replicaUrls].map(async (url) => await queryDatabase(url, sql)),
    );
  }

  async onPrimary<R extends object = Record<string, unknown>>(sql: string): Promise<R[]> {
    return await execute<R>(this.primaryUrl, sql);
  }

  /** `lockstep run`. */
  run(environment: Readonly<Record<string, string>> = {}, options: readonly string[] = []): LockstepProcess {
    const args = ["run", "-c", this.configPath, "--log-format", "json", ...options];
    const run = new LockstepProcess(args, environment, this.#bin);
    this.#runs.push(run);
    return run;
  }

  /** What runs said about changes that met another state than the primary's: so shows a change applied twice. */
  get conflicts(): string[] {
    return this.#runs
      .flatMap(({ log }) => log.map(({ text }) => text))
      .filter((text) => text.includes("conflict:"));
  }

  /** Waits until every replica has all that the primary has committed by now, then compares every row. */
  async expectEqual({ timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    for (const url of this.replicaUrls) {
      const compare = async (): Promise<void> => await expectEqualPlaces(this.primaryUrl, url);
      try {
        await eventually("replica equals primary", compare, { timeoutMs, intervalMs: 200 });
      } catch (error) {
        throw new Error(`a replica differs; the runs said:\n${this.lastWords()}`, { cause: error });
      }
    }
  }

  lastWords(): string {
    const said = this.#runs.map(({ pid, log }) => [`pid ${pid}:`, ...log.slice(-30).map(({ text }) => text)]);
    return said.flat().join("\n");
  }

  #config(options: ScenarioOptions): string {
    const {
      brokers,
      log,
      maxLogBytes,
      include = engineOf(options.urls[0] ?? "") === "postgres" ? '["public.*"]' : null,
      listen = "127.0.0.1:0",
      disabled = [],
      extra = "",
    } = options;
    const [primaryUrl = "", ...replicaUrls] = options.reachedAs ?? options.urls;
    const replicas = replicaUrls.map((url, index) => {
      const enabled = disabled.includes(index + 1) ? ", enabled: false" : "";
      return `  - { name: replica-${index + 1}, engine: ${engineOf(options.urls[index + 1] ?? "")}, url: "${url}"${enabled} }`;
    });
    const embedded = `{ embedded: { path: log${maxLogBytes === undefined ? "" : `, maxBytes: ${maxLogBytes}`} } }`;
    return [
      `pipeline: ${this.pipeline}`,
      `log: ${log ?? (brokers === undefined ? embedded : `{ kafka: { brokers: ${JSON.stringify(brokers)} } }`)}`,
      `primary: { name: main, engine: ${engineOf(this.primaryUrl)}, url: "${primaryUrl}" }`,
      "replicas:",
      ...replicas,
      ...(include === null ? [] : [`tables: { include: ${include} }`]),
      `http: { listen: "${listen}" }`,
      extra,
    ].join("\n");
  }
}

/** A server of any product. */
interface Place {
  url(database?: string): string;
  query(sql: string): Promise<unknown>;
}

/** Creates the same new database on each server; returns their URLs. */
export async function createDatabases(
  servers: readonly Place[],
  name = uniqueName("shop"),
): Promise<string[]> {
  await Promise.all(servers.map(async (server) => await server.query(`create database ${name}`)));
  return servers.map((server) => server.url(name));
}

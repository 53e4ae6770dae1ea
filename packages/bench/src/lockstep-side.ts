import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LockstepProcess, removeFolder, temporaryFolder } from "@lockstep/testkit/servers";
import type { BenchServers } from "./bench-servers.ts";
import type { Side } from "./side.ts";
import { until } from "./until.ts";

const MIB = 1024 * 1024;

/** `lockstep run` as users have it: a process and a configuration file. */
export class LockstepSide implements Side {
  readonly name = "ours";
  readonly #servers: BenchServers;
  readonly #folder: string;
  #run: LockstepProcess | null = null;

  /** `settings`: further lines of its configuration. */
  static async create(
    servers: BenchServers,
    database: string,
    settings: readonly string[] = [],
  ): Promise<LockstepSide> {
    const folder = await temporaryFolder("bench");
    await writeFile(
      join(folder, "lockstep.yaml"),
      [...configuration(servers, database), ...settings, ""].join("\n"),
    );
    return new LockstepSide(servers, folder);
  }

  private constructor(servers: BenchServers, folder: string) {
    this.#servers = servers;
    this.#folder = folder;
  }

  async start(): Promise<void> {
    await this.resume();
  }

  async copied(): Promise<void> {
    await this.following();
  }

  async following(): Promise<void> {
    const run = this.#running();
    const url = `${await run.url()}/status`;
    await until("every replica follows", async () => {
      this.check();
      return await everyReplicaFollows(url);
    });
  }

  /** From now on commits wait, if their sessions want to. */
  async waitOn(): Promise<void> {
    await this.#command("gate", "on");
    await this.#running().waitForLog("the gate is armed");
  }

  async waitOff(): Promise<void> {
    await this.#command("gate", "off");
  }

  async pause(): Promise<void> {
    const { code, signal } = await this.#running().stop();
    this.#run = null;
    if (code !== 0) throw new Error(`lockstep ended with ${signal ?? `exit code ${code}`}`);
  }

  async resume(): Promise<void> {
    const args = ["run", "-c", this.#configPath, "--log-format", "json"];
    this.#run = await Promise.resolve(new LockstepProcess(args));
  }

  check(): void {
    const run = this.#running();
    if (!run.hasExited) return;
    const said = run.log.slice(-20).map(({ text }) => text);
    throw new Error(`lockstep ended by itself:\n${said.join("\n")}`);
  }

  cpuSeconds(): Readonly<Record<string, number | null>> {
    const { broker } = this.#servers;
    return {
      lockstep: this.#run === null ? 0 : this.#run.cpuSeconds(),
      ...(broker === null ? {} : { broker: broker.cpuSeconds() }),
    };
  }

  peakRssMb(): number {
    return Math.round(this.#running().peakRssBytes() / MIB);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#run?.hasExited === false) await this.#run.stop();
    await this.#command("remove", "pipeline", "--yes");
    removeFolder(this.#folder);
  }

  async #command(...args: readonly string[]): Promise<void> {
    await using command = new LockstepProcess([...args, "-c", this.#configPath]);
    const { code } = await command.exited;
    if (code === 0) return;
    throw new Error(`lockstep ${args.join(" ")} failed:\n${command.log.map(({ text }) => text).join("\n")}`);
  }

  get #configPath(): string {
    return join(this.#folder, "lockstep.yaml");
  }

  #running(): LockstepProcess {
    if (this.#run === null) throw new Error("lockstep is not running");
    return this.#run;
  }
}

async function everyReplicaFollows(url: string): Promise<boolean> {
  const status: unknown = await (await fetch(url)).json();
  if (typeof status !== "object" || status === null || !("replicas" in status)) return false;
  const states = Object.values(status.replicas ?? {}).map((replica: unknown) =>
    typeof replica === "object" && replica !== null && "state" in replica ? replica.state : null,
  );
  if (states.includes("halted")) throw new Error(`a replica has halted: ${JSON.stringify(status)}`);
  return states.every((state) => state === "following");
}

function configuration(servers: BenchServers, database: string): string[] {
  const { engine, primary, replicas, broker } = servers;
  const log =
    broker === null
      ? "{ embedded: { path: log } }"
      : `{ kafka: { brokers: ${JSON.stringify(broker.brokers)} } }`;
  return [
    `pipeline: ${database}`,
    `log: ${log}`,
    `primary: { name: main, engine: ${engine}, url: "${primary.url(database)}" }`,
    "replicas:",
    ...replicas.map(
      (server, index) =>
        `  - { name: replica-${index + 1}, engine: ${engine}, url: "${server.url(database)}" }`,
    ),
    `tables: { include: ["${servers.schemaOf(database)}.*"] }`,
    "http: { listen: 127.0.0.1:0 }",
  ];
}

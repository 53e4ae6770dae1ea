import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chown, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type QueryResultRow } from "pg";
import { readCertificate } from "./certificates.ts";
import { removeFolder, spawnGuarded } from "./child-guard.ts";
import { freePort } from "./free-port.ts";
import { postgresBinaries, type PostgresBinaries, type PostgresRelease } from "./postgres-binaries.ts";
import { copyOfTemplate, dataTemplate, initializedData, serverEnvironment } from "./postgres-data.ts";
import { cpuSecondsOfTree, killTree, signalTree } from "./process-tree.ts";

const START_TIMEOUT_MS = 60_000;
const LOG_TAIL_BYTES = 4_000;

export type PostgresSettings = Readonly<Record<string, string>>;

/** A PostgreSQL server of a test's own. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  readonly dataDir: string;
  url(database?: string): string;
  /** Starts again on the same data and port; resolves when it takes connections. */
  start(settings?: PostgresSettings): Promise<void>;
  /** `fast` waits for walsenders, as an operator's stop does. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** SIGKILL to every process of it; resolves when they are gone. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT to every process of it. */
  suspend(): void;
  resume(): void;
  /** Processor time of every process of it, since its start; null where the system does not tell. */
  cpuSeconds(): number | null;
  /** One query on a connection of its own. */
  query<R extends QueryResultRow = QueryResultRow>(
    sql: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<R[]>;
}

const SETTINGS: PostgresSettings = {
  listen_addresses: "127.0.0.1",
  wal_level: "logical",
  max_wal_senders: "100",
  max_replication_slots: "400",
  max_connections: "200",
  max_prepared_transactions: "20",
  shared_buffers: "64MB",
  max_wal_size: "4GB",
  log_min_messages: "warning",
};

export interface StartPostgresOptions {
  readonly settings?: PostgresSettings;
  /** Also takes TLS; clients' certificates are to be signed by `ca` (certificates.ts). */
  readonly tls?: boolean;
  /** Lines of pg_hba.conf instead of its own, which trust anybody. */
  readonly hba?: readonly string[];
  /** With a system identifier of its own; else it is a copy of the one the others are copies of. */
  readonly isOfItsOwn?: boolean;
  /** Instead of the newest; of its own, too. */
  readonly release?: PostgresRelease;
}

export async function startPostgres(options: StartPostgresOptions = {}): Promise<PostgresServer> {
  const { release = null, isOfItsOwn = release !== null } = options;
  const dataDir = isOfItsOwn ? await initializedData(release) : await copyOfTemplate();
  const settings =
    options.tls === true ? { ...(await useCertificates(dataDir)), ...options.settings } : options.settings;
  if (options.hba !== undefined) await writeFile(join(dataDir, "pg_hba.conf"), `${options.hba.join("\n")}\n`);
  const server = new LocalPostgres(await postgresBinaries(release), dataDir, await freePort(), settings);
  await server.start();
  return server;
}

export async function startPostgresServers(
  count: number,
  options: StartPostgresOptions = {},
): Promise<PostgresServer[]> {
  await dataTemplate();
  return await Promise.all(Array.from({ length: count }, () => startPostgres(options)));
}

/** Puts certificates where the server looks for them; returns the settings that use them. */
async function useCertificates(dataDir: string): Promise<PostgresSettings> {
  const { user } = await postgresBinaries();
  for (const name of ["server.crt", "server.key", "ca.crt"]) {
    await writeFile(join(dataDir, name), await readCertificate(name), { mode: 0o600 });
    if (user !== null) await chown(join(dataDir, name), user.uid, user.gid);
  }
  return { ssl: "on", ssl_ca_file: "ca.crt" };
}

class LocalPostgres implements PostgresServer {
  readonly port: number;
  readonly dataDir: string;
  readonly #binaries: PostgresBinaries;
  readonly #settings: PostgresSettings;
  #process: ChildProcess | null = null;

  constructor(binaries: PostgresBinaries, dataDir: string, port: number, settings: PostgresSettings = {}) {
    this.port = port;
    this.dataDir = dataDir;
    this.#binaries = binaries;
    this.#settings = settings;
  }

  url(database = "postgres"): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  async start(settings: PostgresSettings = {}): Promise<void> {
    const logPath = join(this.dataDir, "..", "server.log");
    const log = await open(logPath, "a");
    const merged = { ...SETTINGS, unix_socket_directories: "", ...this.#settings, ...settings };
    const flags = Object.entries(merged).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.#process = spawnGuarded(
      join(this.#binaries.bin, "postgres"),
      ["-D", this.dataDir, "-p", String(this.port), ...flags],
      { ...this.#binaries.user, cwd: "/", stdio: ["ignore", log.fd, log.fd], env: serverEnvironment() },
    );
    await log.close();
    try {
      await this.#ready(this.#process);
    } catch (error) {
      const text = await readFile(logPath, "utf8");
      throw new Error(`PostgreSQL on port ${this.port} did not start:\n${text.slice(-LOG_TAIL_BYTES)}`, {
        cause: error,
      });
    }
  }

  async stop(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await this.#end(() => void this.#process?.kill(mode === "fast" ? "SIGINT" : "SIGQUIT"));
  }

  async kill(): Promise<void> {
    await this.#end(killTree);
  }

  suspend(): void {
    signalTree(this.#pid(), "SIGSTOP");
  }

  resume(): void {
    signalTree(this.#pid(), "SIGCONT");
  }

  cpuSeconds(): number | null {
    return cpuSecondsOfTree(this.#pid());
  }

  async query<R extends QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
    database?: string,
  ): Promise<R[]> {
    const client = new Client({ connectionString: this.url(database) });
    await client.connect();
    try {
      return (await client.query<R>(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== null) {
      this.resume();
      await this.stop("immediate");
    }
    removeFolder(join(this.dataDir, ".."));
  }

  #pid(): number {
    if (this.#process?.pid === undefined) throw new Error(`PostgreSQL on port ${this.port} is not running`);
    return this.#process.pid;
  }

  async #end(end: (pid: number) => Promise<void> | void): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    await end(child.pid);
    await exited;
    this.#process = null;
  }

  /** The postmaster says so itself, in line 8 of its pid file. */
  async #ready(child: ChildProcess): Promise<void> {
    const untilMs = performance.now() + START_TIMEOUT_MS;
    const pidFile = join(this.dataDir, "postmaster.pid");
    while (performance.now() < untilMs) {
      if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
      const lines = (await readFile(pidFile, "utf8").catch(() => "")).split("\n");
      if (Number(lines[0]) === child.pid && lines[7]?.startsWith("ready") === true) return;
      await sleep(10);
    }
    throw new Error(`it was not ready within ${START_TIMEOUT_MS} ms`);
  }
}

import { execFile, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeFolder, spawnGuarded, temporaryFolder } from "./child-guard.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";
import { mysqlBinaries } from "./mysql-binaries.ts";
import { MYSQL_PASSWORD, MYSQL_USER } from "./mysql-data.ts";
import { flavourOf, type MysqlFlavour, type MysqlProgram, type MysqlRelease } from "./mysql-program.ts";
import { queryMysql, type MysqlRow } from "./mysql-query.ts";
import { killTree } from "./process-tree.ts";

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;
const LOG_TAIL_BYTES = 4_000;

/** Options of the server by name, as on its command line. */
export type MysqlSettings = Readonly<Record<string, string>>;

/** A MySQL or MariaDB server of a test's own. */
export interface MysqlServer extends AsyncDisposable {
  readonly flavour: MysqlFlavour;
  readonly port: number;
  readonly dataDir: string;
  url(database?: string): string;
  /** Starts again on the same data and port; resolves when it takes connections. */
  start(settings?: MysqlSettings): Promise<void>;
  /** As an operator's stop does. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  suspend(): void;
  resume(): void;
  /** Processor time since its start; null where the system does not tell. */
  cpuSeconds(): number | null;
  /** One query on a connection of its own. */
  query<R extends MysqlRow = MysqlRow>(
    sql: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<R[]>;
}

export interface StartMysqlOptions {
  readonly settings?: MysqlSettings;
}

/** Small in memory; what it committed survives its crash. */
const SETTINGS: MysqlSettings = {
  "bind-address": "127.0.0.1",
  "skip-name-resolve": "ON",
  "secure-file-priv": "",
  "performance-schema": "OFF",
  "innodb-buffer-pool-size": "64M",
  "max-connections": "300",
  "max-allowed-packet": "64M",
  "local-infile": "ON",
  "log-bin": "binlog",
  "binlog-row-metadata": "FULL",
  "innodb-flush-log-at-trx-commit": "1",
  "sync-binlog": "1",
};

const FLAVOUR_SETTINGS: Readonly<Record<MysqlFlavour, MysqlSettings>> = {
  mysql: {
    mysqlx: "OFF",
    "gtid-mode": "ON",
    "enforce-gtid-consistency": "ON",
    "innodb-redo-log-capacity": "64M",
  },
  mariadb: { "binlog-format": "ROW", "innodb-log-file-size": "48M" },
};

export async function startMysql(
  release: MysqlRelease,
  { settings = {} }: StartMysqlOptions = {},
): Promise<MysqlServer> {
  const { program, template } = await mysqlBinaries(release);
  const folder = await temporaryFolder(flavourOf(release));
  await run("cp", ["-a", "--reflink=auto", template, join(folder, "data")]);
  const server = new LocalMysql(program, folder, await freePort(), settings);
  await server.start();
  return server;
}

class LocalMysql implements MysqlServer {
  readonly port: number;
  readonly dataDir: string;
  readonly #program: MysqlProgram;
  readonly #folder: string;
  readonly #settings: MysqlSettings;
  /** Of the process that runs now. */
  #name = "";
  #process: ChildProcess | null = null;

  constructor(program: MysqlProgram, folder: string, port: number, settings: MysqlSettings) {
    this.port = port;
    this.dataDir = join(folder, "data");
    this.#program = program;
    this.#folder = folder;
    this.#settings = settings;
  }

  get flavour(): MysqlFlavour {
    return this.#program.flavour;
  }

  url(database = ""): string {
    return `${this.flavour}://${MYSQL_USER}:${MYSQL_PASSWORD}@127.0.0.1:${this.port}/${database}`;
  }

  async start(settings: MysqlSettings = {}): Promise<void> {
    const logPath = join(this.#folder, "server.log");
    const log = await open(logPath, "a");
    this.#name = `lockstep-${this.flavour}-${this.port}-${randomBytes(4).toString("hex")}`;
    const [command = "", ...args] = this.#program.commandLine(
      this.#folder,
      this.#name,
      this.#flags(settings),
    );
    const child = spawnGuarded(command, args, {
      cwd: this.#folder,
      stdio: ["ignore", log.fd, log.fd],
      env: { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" },
      endCommand: this.#program.endCommand(this.#name),
    });
    this.#process = child;
    await log.close();
    try {
      const answers = async (): Promise<void> => {
        if (child.exitCode === null) await this.query("select 1");
      };
      const pace = { timeoutMs: START_TIMEOUT_MS, intervalMs: 20 };
      await eventually("the server takes connections", answers, pace);
      if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
    } catch (error) {
      const text = await readFile(logPath, "utf8");
      throw new Error(`${this.flavour} on port ${this.port} did not start:\n${text.slice(-LOG_TAIL_BYTES)}`, {
        cause: error,
      });
    }
  }

  async stop(): Promise<void> {
    await this.#end(() => this.#signal("SIGTERM"));
  }

  async kill(): Promise<void> {
    await this.#end(async (pid) => {
      this.#signal("SIGKILL");
      await killTree(pid);
    });
  }

  suspend(): void {
    this.#signal("SIGSTOP");
  }

  resume(): void {
    this.#signal("SIGCONT");
  }

  cpuSeconds(): number | null {
    return this.#process === null ? null : this.#program.cpuSeconds(this.#process);
  }

  async query<R extends MysqlRow = MysqlRow>(
    sql: string,
    values: readonly unknown[] = [],
    database?: string,
  ): Promise<R[]> {
    return await queryMysql<R>(this.url(database), sql, values);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    removeFolder(this.#folder);
  }

  #flags(settings: MysqlSettings): string[] {
    const own = {
      datadir: this.dataDir,
      tmpdir: this.#folder,
      port: String(this.port),
      socket: join(this.#folder, "socket"),
      "pid-file": join(this.#folder, "pid"),
      "server-id": String(this.port),
    };
    const all = { ...SETTINGS, ...FLAVOUR_SETTINGS[this.flavour], ...own, ...this.#settings, ...settings };
    return Object.entries(all).map(([name, value]) => `--${name}=${value}`);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#process === null) throw new Error(`${this.flavour} on port ${this.port} is not running`);
    this.#program.signal(this.#process, this.#name, signal);
  }

  async #end(end: (pid: number) => Promise<void> | void): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    await end(child.pid);
    await exited;
    this.#process = null;
  }
}

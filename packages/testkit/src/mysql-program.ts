import { execFile, execFileSync, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { extractedCommand } from "./debian-packages.ts";
import { cpuSecondsOfTree, signalTree } from "./process-tree.ts";
import { exists } from "./test-cache.ts";

const run = promisify(execFile);
/** What makes MariaDB's own tables, in this order. */
const SYSTEM_TABLES = ["system_tables.sql", "performance_tables.sql", "system_tables_data.sql"];
/** Where they are: the folder and their prefix have been renamed once. */
const TABLES_FOLDERS = ["share/mariadb/mariadb_", "share/mysql/mariadb_", "share/mysql/mysql_"];

export type MysqlFlavour = "mysql" | "mariadb";
/** The newest of a flavour, or an older one. */
export type MysqlRelease = MysqlFlavour | "mariadb-10.11";

/** Where the program of a server runs. */
export interface MysqlProgram {
  readonly flavour: MysqlFlavour;
  /** `folder` has the same path inside; `name` is nobody else's. */
  commandLine(folder: string, name: string, args: readonly string[]): readonly string[];
  /** What else ends it, where another process does the work. */
  endCommand(name: string): readonly string[];
  /** MariaDB's own tables, as SQL. */
  systemTables(): Promise<string>;
  signal(child: ChildProcess, name: string, signal: NodeJS.Signals): void;
  /** Null where it cannot be told. */
  cpuSeconds(child: ChildProcess): number | null;
}

export function flavourOf(release: MysqlRelease): MysqlFlavour {
  return release === "mysql" ? "mysql" : "mariadb";
}

/** Of Debian's package, extracted to `root`. */
export async function extractedProgram(release: MysqlRelease, root: string): Promise<MysqlProgram> {
  const flavour = flavourOf(release);
  const command = await extractedCommand(root, `usr/sbin/${flavour === "mysql" ? "mysqld" : "mariadbd"}`);
  const usr = join(root, "usr");
  const hasOwnFolder = await exists(join(usr, "share/mariadb"));
  const share = join(usr, hasOwnFolder ? "share/mariadb" : "share/mysql");
  const folders = [
    `--basedir=${usr}`,
    `--plugin-dir=${join(usr, "lib/mysql/plugin")}`,
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${join(share, "charsets")}`,
    ...(process.getuid?.() === 0 ? ["--user=root"] : []),
  ];
  return {
    flavour,
    commandLine: (_folder, _name, args) => [...command, "--no-defaults", ...folders, ...args],
    endCommand: () => [],
    systemTables: async () => await readSystemTables(usr),
    signal: ({ pid }, _, signal) => {
      if (pid !== undefined) signalTree(pid, signal);
    },
    cpuSeconds: ({ pid }) => (pid === undefined ? null : cpuSecondsOfTree(pid)),
  };
}

async function readSystemTables(usr: string): Promise<string> {
  for (const prefix of TABLES_FOLDERS.map((folder) => join(usr, folder))) {
    if (!(await exists(`${prefix}${SYSTEM_TABLES[0]}`))) continue;
    return (await Promise.all(SYSTEM_TABLES.map(async (end) => await readFile(prefix + end, "utf8")))).join(
      "",
    );
  }
  throw new Error(`${usr} has no system tables of MariaDB`);
}

/** Of the official image, on the host's network. */
export function dockerProgram(release: MysqlRelease): MysqlProgram {
  const flavour = flavourOf(release);
  const image = { mysql: "mysql:9", mariadb: "mariadb:11.8", "mariadb-10.11": "mariadb:10.11" }[release];
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const asRoot = process.getuid?.() === 0 ? ["--user=root"] : [];
  const program = flavour === "mysql" ? "mysqld" : "mariadbd";
  return {
    flavour,
    commandLine: (folder, name, args) => {
      const inside = ["--user", user, "--volume", `${folder}:${folder}`, "--entrypoint", program];
      const docker = ["docker", "run", "--rm", "-i", "--name", name, "--network", "host", ...inside, image];
      return [...docker, "--no-defaults", ...asRoot, ...args];
    },
    endCommand: (name) => ["docker", "kill", name],
    systemTables: async () => {
      const files = SYSTEM_TABLES.map((end) =>
        TABLES_FOLDERS.map((folder) => `/usr/${folder}${end}`).join(" "),
      );
      const script = files.map((names) => `for f in ${names}; do [ ! -e $f ] || cat $f; done`).join("; ");
      const docker = ["run", "--rm", "--entrypoint", "sh", image, "-c", script];
      return (await run("docker", docker, { maxBuffer: 64 * 1024 * 1024 })).stdout;
    },
    signal: (_, name, signal) => void execFileSync("docker", ["kill", "--signal", signal, name]),
    cpuSeconds: () => null, // The child is the engine's client, which does nothing.
  };
}

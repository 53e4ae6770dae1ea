import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawnGuarded } from "./child-guard.ts";
import type { MysqlProgram } from "./mysql-program.ts";

/** Everybody's, from everywhere; a password, so that what connects proves that it can give one. */
export const MYSQL_USER = "root";
export const MYSQL_PASSWORD = "lockstep";

const ACCOUNT = [
  `CREATE USER '${MYSQL_USER}'@'%' IDENTIFIED BY '${MYSQL_PASSWORD}';`,
  `GRANT ALL PRIVILEGES ON *.* TO '${MYSQL_USER}'@'%' WITH GRANT OPTION;`,
];
/** Small, and not for keeping: what initializes is not a server that crashes. */
const QUICKLY = [
  "--innodb-flush-log-at-trx-commit=0",
  "--innodb-doublewrite=OFF",
  "--innodb-flush-method=nosync",
];

/** Makes `folder/data`, of a server that has never run. */
export async function initializeMysql(program: MysqlProgram, folder: string): Promise<void> {
  const data = join(folder, "data");
  const own = [`--datadir=${data}`, `--tmpdir=${folder}`, ...QUICKLY];
  if (program.flavour === "mysql") {
    const script = join(folder, "accounts.sql");
    await writeFile(script, [...ACCOUNT, "DROP USER root@localhost;", ""].join("\n"));
    const initialize = ["--initialize-insecure", `--init-file=${script}`, "--skip-log-bin"];
    await runToEnd(program, folder, [...own, ...initialize, "--innodb-redo-log-capacity=8M"], "");
    await rm(join(data, "auto.cnf")); // Every copy is a server of its own.
    return;
  }
  await mkdir(data);
  const statements = [
    "create database mysql;",
    "use mysql;",
    await program.systemTables(),
    "delete from mysql.global_priv;",
    "flush privileges;",
    ...ACCOUNT,
  ];
  const bootstrap = ["--bootstrap", "--skip-log-bin", "--innodb-log-file-size=4M"];
  await runToEnd(program, folder, [...own, ...bootstrap], `${statements.join("\n")}\n`);
}

async function runToEnd(
  program: MysqlProgram,
  folder: string,
  args: readonly string[],
  input: string,
): Promise<void> {
  const logPath = join(folder, "initialize.log");
  const log = await open(logPath, "w");
  const name = `lockstep-initialize-${randomBytes(4).toString("hex")}`;
  const [command = "", ...line] = program.commandLine(folder, name, args);
  const child = spawnGuarded(command, line, {
    cwd: folder,
    stdio: ["pipe", log.fd, log.fd],
    endCommand: program.endCommand(name),
  });
  await log.close();
  child.stdin?.on("error", () => undefined); // It has ended, and its log says why.
  child.stdin?.end(input);
  const [code] = await once(child, "exit");
  if (code !== 0)
    throw new Error(`${program.flavour} was not initialized:\n${await readFile(logPath, "utf8")}`);
}

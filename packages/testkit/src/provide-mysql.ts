import type { TestProject } from "vitest/node";
import type { MysqlFlavour } from "./mysql-program.ts";
import { queryMysql } from "./mysql-query.ts";
import { startMysql } from "./mysql-server.ts";

const NAMES: Readonly<Record<MysqlFlavour, string>> = { mysql: "MySQL", mariadb: "MariaDB" };

interface Provided extends AsyncDisposable {
  readonly label: string;
}

interface ProvidedServer extends Provided {
  readonly url: string;
}

/** One server of each flavour for the whole run: the user's, or one of its own. */
export async function provideMysql(project: TestProject): Promise<Provided> {
  const [mysql, mariadb] = await Promise.all([provideOne("mysql"), provideOne("mariadb")]);
  project.provide("mysqlUrls", { mysql: mysql.url, mariadb: mariadb.url });
  return {
    label: `${mysql.label}, ${mariadb.label}`,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([mysql, mariadb].map(async (server) => await server[Symbol.asyncDispose]()));
    },
  };
}

async function provideOne(flavour: MysqlFlavour): Promise<ProvidedServer> {
  const given = process.env[flavour === "mysql" ? "LOCKSTEP_TEST_MYSQL_URL" : "LOCKSTEP_TEST_MARIADB_URL"];
  if (given !== undefined && given !== "") {
    const url = given.replace(/\/*$/, "/");
    return { url, label: await labelOf(flavour, url), [Symbol.asyncDispose]: async () => undefined };
  }
  const server = await startMysql(flavour);
  return {
    url: server.url(),
    label: await labelOf(flavour, server.url()),
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

async function labelOf(flavour: MysqlFlavour, url: string): Promise<string> {
  const [row] = await queryMysql<{ version: string }>(url, "select version() as version");
  return `${NAMES[flavour]} ${/^[\d.]+/.exec(row?.version ?? "")?.[0] ?? "unknown"}`;
}

import { inject } from "vitest";
import type { MysqlFlavour } from "./mysql-program.ts";
import { queryMysql } from "./mysql-query.ts";
import { uniqueName } from "./shared-servers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** URLs of the run's MySQL and MariaDB servers, without a database. */
    readonly mysqlUrls: Readonly<Record<MysqlFlavour, string>>;
  }
}

/** What a suite for both flavours is run over. */
export const MYSQL_FLAVOURS: readonly MysqlFlavour[] = ["mysql", "mariadb"];

/** An empty database of a test's own on the run's server of a flavour. */
export async function freshMysqlDatabase(flavour: MysqlFlavour, prefix = "test"): Promise<string> {
  const server = new URL(inject("mysqlUrls")[flavour]);
  const name = uniqueName(prefix);
  await queryMysql(server.href, `create database ${name}`);
  server.pathname = `/${name}`;
  return server.href;
}

import { execute, expectEqualDatabases, expectEqualMysqlDatabases, queryMysql } from "@lockstep/testkit";

type EngineName = "postgres" | "mysql" | "mariadb";

/** What is behind a url, as a configuration names it. */
export function engineOf(url: string): EngineName {
  const { protocol } = new URL(url);
  return protocol === "mysql:" ? "mysql" : protocol === "mariadb:" ? "mariadb" : "postgres";
}

/** Runs SQL on a connection of its own. Of MySQL and MariaDB every value is the server's own text. */
export async function executeOn(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  return engineOf(url) === "postgres" ? await execute(url, sql, values) : await queryMysql(url, sql, values);
}

/** Row by row, or by the servers' own checksums; both of one engine. */
export async function expectEqualPlaces(left: string, right: string): Promise<void> {
  const compare = engineOf(left) === "postgres" ? expectEqualDatabases : expectEqualMysqlDatabases;
  await compare(left, right);
}

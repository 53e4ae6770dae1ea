import {
  engineOf,
  execute,
  expectEqualDatabases,
  expectEqualMysqlDatabases,
  expectEqualTables,
  queryMysql,
} from "@lockstep/testkit";

/** Runs SQL on a connection of its own. Of MySQL and MariaDB every value is the server's own text. */
export async function executeOn(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  return engineOf(url) === "postgres" ? await execute(url, sql, values) : await queryMysql(url, sql, values);
}

/** Row by row, or by the servers' own checksums; of two engines, by what both print. */
export async function expectEqualPlaces(left: string, right: string): Promise<void> {
  const engine = engineOf(left);
  if (engine !== engineOf(right)) await expectEqualTables(left, right);
  else if (engine === "postgres") await expectEqualDatabases(left, right);
  else await expectEqualMysqlDatabases(left, right);
}

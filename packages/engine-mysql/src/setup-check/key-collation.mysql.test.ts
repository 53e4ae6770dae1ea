import { describe, expect, test } from "vitest";
import type { Finding, PrimaryReport } from "@lockstep/core";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql, type MysqlFlavour } from "@lockstep/testkit";
import { checkPrimary, checkReplica, databaseOf, errors } from "./check.fixture.ts";

/* A table that the replica has already, whose key is not told apart there as on the primary. */

/** As of another server, with its tables in the replica's database. */
function movedTo(url: string, { tables, common, ...report }: PrimaryReport): PrimaryReport {
  const schema = databaseOf(url);
  return {
    ...report,
    database: null,
    tables: tables.map((table) => ({ ...table, schema })),
    common: common.map((table) => ({ ...table, schema })),
  };
}

const OTHER: Readonly<Record<MysqlFlavour, MysqlFlavour>> = { mysql: "mariadb", mariadb: "mysql" };
const EXACT: Readonly<Record<MysqlFlavour, string>> = {
  mysql: "utf8mb4_0900_bin",
  mariadb: "utf8mb4_nopad_bin",
};
const COARSE: Readonly<Record<MysqlFlavour, string>> = {
  mysql: "utf8mb4_0900_ai_ci",
  mariadb: "utf8mb4_uca1400_nopad_ai_ci",
};

describe.each(
  MYSQL_FLAVOURS.flatMap((from) => [from, OTHER[from]].map((to): [MysqlFlavour, MysqlFlavour] => [from, to])),
)("%s to %s", (from, to) => {
  async function found(primarys: string, replicas: string): Promise<readonly Finding[]> {
    const [primary, replica] = [await freshMysqlDatabase(from), await freshMysqlDatabase(to)];
    const sql = (type: string): string => `create table items (k ${type} primary key, v text)`;
    await queryMysql(primary, sql(primarys));
    await queryMysql(replica, sql(replicas));
    const report = movedTo(replica, await checkPrimary(primary));
    const first = errors(await checkReplica(replica, report, { dialect: from }));
    const [fix] = first.flatMap((finding) => /^run there: (.*)$/.exec(finding.fix ?? "")?.[1] ?? []);
    if (fix === undefined) return first;
    await queryMysql(replica, fix);
    expect(errors(await checkReplica(replica, report, { dialect: from }))).toEqual([]);
    return first;
  }

  test("a key that takes for equal what the primary tells apart is refused, and its statement mends it", async () => {
    const [mismatch, ...others] = await found(
      `varchar(20) collate ${EXACT[from]}`,
      `varchar(20) collate ${COARSE[to]}`,
    );
    expect(others).toEqual([]);
    expect(mismatch).toMatchObject({
      code: "schema-mismatch",
      what: expect.stringContaining(`column k of its key has collation ${COARSE[to]}`) as unknown,
    });
  });

  test("one that tells apart more, or no less, does no harm", async () => {
    expect(await found(`varchar(20) collate ${COARSE[from]}`, `varchar(20) collate ${EXACT[to]}`)).toEqual(
      [],
    );
    const general = "collate utf8mb4_general_ci";
    expect(await found(`varchar(20) ${general}`, `varchar(20) ${general}`)).toEqual([]);
    expect(await found(`char(20) collate ${COARSE[from]}`, "char(20) collate utf8mb4_bin")).toEqual([]);
    expect(
      await found(`varchar(20) collate ${COARSE[from]}`, "varchar(20) collate utf8mb4_bin"),
    ).toMatchObject([{ code: "schema-mismatch" }]);
  });
});

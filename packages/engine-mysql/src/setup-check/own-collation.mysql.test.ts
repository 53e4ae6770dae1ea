import { cp, readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { freshMysqlDatabase, queryMysql, startMysql } from "@lockstep/testkit";
import { removeFolder, temporaryFolder } from "@lockstep/testkit/servers";
import { follow, sourceOf } from "../source/source.fixture.ts";
import { checkPrimary, checkReplica, databaseOf, errors } from "./check.fixture.ts";

/* A collation of somebody's own: a replica does not have it, and in the end its own server has it no more. */

const OWN = `<charset name="utf8mb4"><collation name="utf8mb4_own_ci" id="1029"><rules><reset>a</reset><i>b</i></rules></collation></charset>`;

test("is followed while the primary has it; where a server lacks it, table and collation are named", async () => {
  const other = await freshMysqlDatabase("mysql");
  const [given] = await queryMysql(other, "select @@character_sets_dir as path");
  const folder = await temporaryFolder("charsets");
  await cp(given?.["path"] ?? "", folder, { recursive: true });
  const index = await readFile(`${folder}/Index.xml`, "utf8");
  await writeFile(`${folder}/Index.xml`, index.replace("</charsets>", `${OWN}</charsets>`));
  await using server = await startMysql("mysql", { settings: { "character-sets-dir": folder } });
  const database = databaseOf(other);
  const url = server.url(database);
  await server.query(`create database ${database}`);
  await server.query(
    "create table items (id int primary key, n varchar(9) collate utf8mb4_own_ci)",
    [],
    database,
  );
  await server.query("create table plain (id int primary key)", [], database);
  const primary = await checkPrimary(url);
  expect(errors(primary)).toEqual([]);
  const before = await follow(sourceOf(url));
  await server.query("insert into items values (1, 'x')", [], database);
  await before.waitFor(1);
  const { start } = before.session;
  await before[Symbol.asyncDispose]();

  expect(errors(await checkReplica(other, primary))).toMatchObject([
    {
      code: "schema-mismatch",
      what: `table ${database}.items cannot be created on replica eu, which does not have the collation of n (utf8mb4_own_ci)`,
    },
  ]);

  await server.kill();
  await server.start({ "character-sets-dir": given?.["path"] ?? "" });
  const report = await checkPrimary(url);
  expect(report.tables.map(({ name }) => name)).toEqual(["plain"]);
  const closed = expect.stringMatching(
    /table \S+\.items cannot be opened by the primary itself: .*collation/,
  ) as unknown;
  expect(errors(report)).toMatchObject([{ code: "table-not-supported", what: closed }]);
  await using following = await follow(sourceOf(url), start);
  await expect
    .poll(() => following.failure)
    .toMatchObject({
      code: "table-not-supported",
      message: `column ${database}.items.n has collation 1029 in the primary's log, which is none that the primary has`,
    });
  removeFolder(folder);
});

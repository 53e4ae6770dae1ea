import { describe, expect, test } from "vitest";
import {
  freshMysqlDatabase,
  MYSQL_FLAVOURS,
  queryMysql,
  startMysql,
  type MysqlServer,
} from "@lockstep/testkit";
import type { Finding, PrimaryReport } from "@lockstep/core";
import {
  allOf,
  checkPrimary,
  checkReplica,
  codes,
  databaseOf,
  errors,
  mend,
  newUser,
} from "./check.fixture.ts";

const TABLES = `create table items (id int primary key, name varchar(20)); create table notes (id int primary key, v text)`;

/** A report of the shared server, as of another, with its tables in a database of this name. */
async function primaryWith(
  flavour: "mysql" | "mariadb",
  sql = TABLES,
): Promise<readonly [PrimaryReport, string]> {
  const url = await freshMysqlDatabase(flavour, "shop");
  await queryMysql(url, sql);
  return [await checkPrimary(url), new URL(url).pathname.slice(1)];
}

async function replicaOf(flavour: "mysql" | "mariadb", database: string): Promise<[MysqlServer, string]> {
  const server = await startMysql(flavour);
  await server.query(`create database ${database}`);
  return [server, server.url(database)];
}

describe.each(MYSQL_FLAVOURS)("%s as replica", (flavour) => {
  test("by whatever name it is reached, the primary itself is refused", async () => {
    const url = await freshMysqlDatabase(flavour);
    await queryMysql(url, "create table items (id int primary key)");
    const elsewhere = (await freshMysqlDatabase(flavour)).replace("127.0.0.1", "localhost");
    const report = await checkReplica(elsewhere, await checkPrimary(url));
    expect(report.findings.map(({ code, what }) => `${code}: ${what}`)).toEqual([
      "config-invalid: replica eu is the primary itself",
    ]);
  });

  test("each table arrives as the sink judges it; what is in the way is named, and what is the server's own, too", async () => {
    const [primary, database] = await primaryWith(
      flavour,
      `${TABLES}; create table full (id int primary key); create table new_one (id int primary key)`,
    );
    const [server, url] = await replicaOf(flavour, database);
    await using _server = server;
    await server.query(
      `create table items (id int primary key, name varchar(5)); create table notes (id int primary key, v longtext);
       create table full (id int primary key); insert into full values (1);
       create trigger doubled after insert on notes for each row insert into full values (new.id)`,
      [],
      database,
    );
    const report = await checkReplica(url, primary, { maxRowBytes: 64 * 1024 * 1024 });
    expect(errors(report)).toMatchObject([{ code: "table-not-empty" }]);
    const arrivals = [...report.arrivals.values()];
    expect(arrivals.map(({ kind }) => kind).toSorted()).toEqual(["there", "there", "there", "to-create"]);
    expect(codes(report, "warning").toSorted()).toEqual(["packet-small", "trigger-fires"]);
    expect(errors(await checkReplica(url, primary, { existing: "keep" }))).toEqual([]);
    await server.query("alter table notes drop column v", [], database);
    const [mismatch, ...others] = errors(await checkReplica(url, primary, { existing: "keep" }));
    expect(mismatch).toMatchObject({ code: "schema-mismatch" });
    expect(mismatch?.what).toContain("column v is missing");
    expect(others).toEqual([]);
  });

  test("triggers are told, and that our user may not see them where it may not", async () => {
    const [primary] = await primaryWith(flavour, "create table items (id int primary key)");
    const admin = await freshMysqlDatabase(flavour);
    const name = databaseOf(admin);
    await queryMysql(
      admin,
      "create table items (id int primary key); create trigger noted before insert on items for each row set @x = 1",
    );
    const url = await newUser(admin);
    const rights = "select, insert, update, delete, create, references";
    await queryMysql(admin, `grant ${rights} on \`${name}\`.* to '${new URL(url).username}'@'%'`);
    const tables = primary.tables.map((table) => ({ ...table, schema: name }));
    const asked = async (): Promise<readonly Finding[]> =>
      (await checkReplica(url, { ...primary, tables, database: null })).findings.filter(
        ({ code }) => code === "trigger-fires",
      );
    if (flavour === "mysql") {
      const [unseen, ...none] = await asked();
      expect(none).toEqual([]);
      expect(unseen?.what).toContain("may not see the triggers");
      await queryMysql(admin, unseen?.sql ?? "");
    }
    expect(await asked()).toMatchObject([{ what: expect.stringContaining("trigger noted") }]);
  });

  test("an enum that lacks labels is refused, and that one may halt at what is no label is said", async () => {
    const kinds = "enum('a','it''s','b,c') not null default 'a'";
    const [primary] = await primaryWith(
      flavour,
      `create table items (id int primary key, kind ${kinds}); create table made (id int primary key, kind ${kinds})`,
    );
    const url = await freshMysqlDatabase(flavour);
    const schema = databaseOf(url);
    await queryMysql(url, "create table items (id int primary key, kind enum('b,c','d') null default 'd')");
    const moved = {
      ...primary,
      database: null,
      tables: primary.tables.map((table) => ({ ...table, schema })),
      common: primary.common.map((table) => ({ ...table, schema })),
    };
    const report = await checkReplica(url, moved);
    const [lacking, ...others] = errors(report);
    expect(others).toEqual([]);
    expect(lacking?.what).toContain("column kind lacks labels that the primary's has: 'a', 'it''s'");
    const halts = (name: string): unknown =>
      expect.objectContaining({
        what: expect.stringContaining(`halts where ${schema}.${name} has in kind: ''`) as unknown,
      });
    expect(report.findings).toEqual(expect.arrayContaining([halts("items"), halts("made")]));
    await queryMysql(url, /run there: (.*)$/.exec(lacking?.fix ?? "")?.[1] ?? "");
    expect(errors(await checkReplica(url, moved))).toEqual([]);
    const [shown] = await queryMysql(url, "show create table items");
    expect(shown?.["Create Table"]).toMatch(/`kind` enum\('b,c','d','a','it''s'\) (?:.* )?DEFAULT 'd'/);
    await queryMysql(url, "alter table items modify column kind varchar(9)");
    const { findings } = await checkReplica(url, moved);
    expect(findings.filter(({ what }) => what.includes("items has in kind"))).toEqual([]);
  });

  test("that MariaDB has no negative zero is said, of tables that are there and of those that are made", async () => {
    const [primary, database] = await primaryWith(
      "mysql",
      "create table items (id int primary key, d double, f float, n int); create table made (id int primary key, d double)",
    );
    const url = await freshMysqlDatabase(flavour);
    await queryMysql(url, "create table items (id int primary key, d double, f varchar(99), n int)");
    const inPlace = (schema: string): string => (schema === database ? databaseOf(url) : schema);
    const moved = {
      ...primary,
      database: null,
      tables: primary.tables.map((table) => ({ ...table, schema: inPlace(table.schema) })),
      common: primary.common.map((table) => ({ ...table, schema: inPlace(table.schema) })),
    };
    const { findings } = await checkReplica(url, moved, { dialect: "mysql" });
    const zeros = findings
      .filter(({ what }) => what.includes("0 for -0"))
      .map(({ what }) => what.split(".")[1]);
    expect(zeros).toEqual(flavour === "mariadb" ? ["items: d", "made: d"] : []);
  });

  test("what columns are that are missing is said whole, of either product, and one statement mends it", async () => {
    const more = `kind varchar(9) character set latin1 collate latin1_bin not null default 'it''s' comment 'c', at timestamp(3) null default current_timestamp(3)`;
    const [primary] = await primaryWith(flavour, `create table items (id int primary key, ${more})`);
    const [table] = primary.tables;
    for (const to of MYSQL_FLAVOURS) {
      const url = await freshMysqlDatabase(to);
      const schema = databaseOf(url);
      await queryMysql(url, "create table items (id int primary key); insert into items values (1)");
      const moved = {
        ...primary,
        database: null,
        tables: table === undefined ? [] : [{ ...table, schema }],
        common: primary.common.map((one) => ({ ...one, schema })),
      };
      const check = async (): Promise<readonly Finding[]> =>
        errors(await checkReplica(url, moved, { dialect: flavour, existing: "keep" }));
      const [mismatch, ...others] = await check();
      expect(others).toEqual([]);
      expect(mismatch?.what).toContain("columns kind, at are missing");
      await queryMysql(url, /run there: (.*)$/.exec(mismatch?.fix ?? "")?.[1] ?? "");
      expect(await check()).toEqual([]);
      expect(await queryMysql(url, "select kind from items")).toEqual([{ kind: "it's" }]);
      const [shown] = await queryMysql(url, "show create table items");
      const exact = to === "mysql" ? "0900" : "nopad";
      const text = flavour === to ? "latin1 collate latin1_bin" : `utf8mb4 collate utf8mb4_${exact}_bin`;
      const lower = shown?.["Create Table"]?.toLowerCase();
      expect(lower).toContain(`\`kind\` varchar(9) character set ${text} not null default 'it''s'`);
      expect(lower).toContain("`at` timestamp(3) null default current_timestamp(3)");
    }
  });

  test("a table of another engine whose key is of values' beginnings gets one of whole values, and is named", async () => {
    const [primary] = await primaryWith(flavour, "create table parts (k text, primary key (k(20)))");
    const url = await freshMysqlDatabase(flavour === "mysql" ? "mariadb" : "mysql");
    const { findings } = await checkReplica(url, primary, { dialect: flavour });
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
    const what = expect.stringMatching(/parts is created on replica eu without: .*k/) as unknown;
    expect(findings).toContainEqual(expect.objectContaining({ level: "warning", code: "left-out", what }));
  });

  test("that may lose commits, or takes none from anybody", async () => {
    const [primary, database] = await primaryWith(flavour);
    const [server, url] = await replicaOf(flavour, database);
    await using _server = server;
    const check = async (): ReturnType<typeof checkReplica> => await checkReplica(url, primary);
    await server.query("set global innodb_flush_log_at_trx_commit = 2");
    expect(codes(await check(), "error")).toEqual(["setup-incomplete"]);
    await mend(url, check);
    // Who has all rights may write all the same.
    await server.query("set global read_only = on");
    expect(codes(await check(), "error")).toEqual([]);
    if (flavour === "mariadb") return;
    await server.query("set global super_read_only = on");
    expect(codes(await check(), "error")).toEqual(["server-unavailable"]);
    await mend(url, check);
  });

  test("a user without any right: each is named, and the statements are enough", async () => {
    const [primary, database] = await primaryWith(flavour);
    const [server, admin] = await replicaOf(flavour, database);
    await using _server = server;
    await server.query("create table items (id int primary key, name varchar(20))", [], database);
    const url = await newUser(admin);
    await server.query("set global read_only = on");
    const report = await checkReplica(url, primary);
    expect(codes(report, "error")).toEqual(["server-unavailable", "permission-denied", "permission-denied"]);
    await mend(admin, async () => await checkReplica(url, primary));
    await server.query("set global read_only = off");
    expect(codes(await checkReplica(url, primary), "error")).toEqual([]);
  });

  test("rights to what rights hide are told in the same round, of the primary and of the replica", async () => {
    const admin = await freshMysqlDatabase(flavour, "shop");
    await queryMysql(admin, TABLES);
    const [server, there] = await replicaOf(flavour, databaseOf(admin));
    await using _server = server;
    await queryMysql(there, "create table items (id int primary key, name varchar(20))");
    const [reader, writer] = [await newUser(admin), await newUser(there)];
    const grants = async (): Promise<[url: string, sql: string][]> => {
      const primary = await checkPrimary(reader, allOf(admin));
      const replica = await checkReplica(writer, primary);
      const of = (url: string, { findings }: { readonly findings: readonly Finding[] }): [string, string][] =>
        findings.flatMap(({ sql = "" }) => (sql.startsWith("grant ") ? [[url, sql]] : []));
      return [...of(admin, primary), ...of(there, replica)];
    };
    const found = await grants();
    expect(found.filter(([url]) => url === there).map(([, sql]) => sql)).toContainEqual(
      expect.stringContaining(`references, select, insert, update, delete on \`${databaseOf(admin)}\`.* to`),
    );
    for (const [url, sql] of found) await queryMysql(url, sql);
    expect(await grants()).toEqual([]);
    const primary = await checkPrimary(reader, allOf(admin));
    expect(errors(primary)).toEqual([]);
    expect(errors(await checkReplica(writer, primary))).toEqual([]);
  });

  test("of tables that the primary hides and that are there, a replica needs no more than to write", async () => {
    const [, database] = await primaryWith(flavour);
    const [server, admin] = await replicaOf(flavour, database);
    await using _server = server;
    await queryMysql(admin, TABLES);
    const writer = await newUser(admin);
    const { username } = new URL(writer);
    await queryMysql(admin, `grant select on \`${database}\`.* to '${username}'@'%'`);
    const hiding = { ...(await checkPrimary(writer, { include: ["none.*"], exclude: [] })), database: null };
    const { findings } = await checkReplica(writer, { ...hiding, hidden: [database] });
    expect(errors({ findings }).map(({ sql }) => sql?.replace(/ to .*/, ""))).toContain(
      `grant insert, update, delete on \`${database}\`.*`,
    );
  });
});

import { describe, expect, test } from "vitest";
import { freshMysqlDatabase, MYSQL_FLAVOURS, queryMysql, startMysql } from "@lockstep/testkit";
import { serverIdOf } from "../source/server-id.ts";
import { allOf, checkPrimary, codes, databaseOf, errors, mend, newUser } from "./check.fixture.ts";

describe.each(MYSQL_FLAVOURS)("%s as primary", (flavour) => {
  test("that is fit has no errors, its columns are known, and what does not reach replicas is named", async () => {
    const url = await freshMysqlDatabase(flavour, "shop");
    await queryMysql(
      url,
      `create table items (id int primary key, name varchar(20)); create table audit_log (id int primary key);
       create view cheap as select * from items;
       create trigger noted after insert on items for each row insert into audit_log values (new.id);
       create procedure tidy () select 1; create event nightly on schedule every 1 day do select 1`,
    );
    const name = databaseOf(url);
    const report = await checkPrimary(url, { include: [`${name}.*`], exclude: [`${name}.audit_*`] });
    expect(errors(report)).toEqual([]);
    expect(codes(report, "warning")).toEqual([]);
    expect(report.tables).toMatchObject([
      { schema: name, name: "items", columns: [{ name: "id" }, { name: "name" }] },
    ]);
    expect(report.database?.text).not.toBe("");
    const left = report.findings
      .filter(({ code }) => code === "not-replicated")
      .map(({ what }) => what.split(":")[0]);
    expect(left).toEqual([
      "schema changes (DDL) after the copy",
      `1 view, ${name}.cheap`,
      `1 trigger, ${name}.noted`,
      `1 procedure or function, ${name}.tidy`,
      `1 event, ${name}.nightly`,
      "1 table that tables.include and tables.exclude leave out",
    ]);
  });

  test("tables that cannot be followed are each named, and their statements mend them", async () => {
    const url = await freshMysqlDatabase(flavour);
    await queryMysql(
      url,
      "create table old (id int) engine = MyISAM; create table heap (id int) engine = MEMORY",
    );
    const found = errors(await checkPrimary(url));
    expect(found.map(({ code }) => code)).toEqual(["table-not-supported", "table-not-supported"]);
    await mend(url, async () => await checkPrimary(url));
  });

  test("without a table, and with a pattern that matches none", async () => {
    const url = await freshMysqlDatabase(flavour);
    expect(codes(await checkPrimary(url), "error")).toEqual(["setup-incomplete"]);
    await queryMysql(url, "create table items (id int primary key)");
    const { include } = allOf(url);
    const report = await checkPrimary(url, { include: [...include, "nowhere.*"], exclude: [] });
    expect(codes(report, "warning")).toEqual(["pattern-unmatched"]);
  });

  test("a user without any right: each is named, also where it may not use the database, and the statements are enough", async () => {
    const admin = await freshMysqlDatabase(flavour);
    await queryMysql(admin, "create table items (id int primary key)");
    const url = await newUser(admin);
    const what = errors(await checkPrimary(url)).map((finding) =>
      finding.what.replace(/^user \S+ may not /, ""),
    );
    expect(what).toEqual([
      expect.stringContaining("that our user may see"),
      "read the binlog of the primary",
      expect.stringContaining("flush tables with read lock"),
      `see any table of database ${databaseOf(admin)} of the primary`,
    ]);
    const granted = async (): Promise<{
      findings: Awaited<ReturnType<typeof checkPrimary>>["findings"];
    }> => ({
      findings: (await checkPrimary(url)).findings.filter(
        ({ sql, level }) => level === "error" && sql !== undefined,
      ),
    });
    await mend(admin, granted);
    expect(errors(await checkPrimary(url))).toEqual([]);
  });

  test("a user who may only read: what the server hides from such is asked for, and then told", async () => {
    const admin = await freshMysqlDatabase(flavour);
    const name = databaseOf(admin);
    await queryMysql(
      admin,
      `create table parents (id int primary key); create table others (id int primary key);
       create table children (id int primary key, p int, o int,
         constraint one foreign key (p) references parents (id) on delete cascade,
         constraint two foreign key (o) references others (id) on update cascade);
       create trigger noted after insert on others for each row set @x = 1`,
    );
    const url = await newUser(admin);
    const { username } = new URL(url);
    await queryMysql(
      admin,
      `grant replication slave, replication client, reload on *.* to '${username}'@'%'`,
    );
    await queryMysql(admin, `grant select on \`${name}\`.* to '${username}'@'%'`);
    const refused = { code: "table-not-supported", what: expect.stringMatching(/key one .*key two /) };
    const [hidden, ...none] = errors(await checkPrimary(url));
    expect(none).toEqual([]);
    if (flavour === "mysql") expect(hidden).toBeUndefined();
    else {
      expect(hidden?.sql).toMatch(/^grant references on /);
      await queryMysql(admin, hidden?.sql ?? "");
      expect(errors(await checkPrimary(url))).toMatchObject([refused]);
    }
    const { findings } = await checkPrimary(url);
    const unseen = findings.find(({ what }) => what.includes("may not see every trigger and event"));
    expect(findings.some(({ what }) => what.startsWith("1 trigger"))).toBe(false);
    await queryMysql(admin, unseen?.sql ?? "");
    const all = (await checkPrimary(url)).findings.map(({ what }) => what);
    expect(all).toContainEqual(expect.stringContaining(`1 trigger, ${name}.noted`));
    expect(all).not.toContainEqual(expect.stringContaining("may not see every"));
  });

  test("a user of single tables is told that there may be others", async () => {
    const admin = await freshMysqlDatabase(flavour);
    const name = databaseOf(admin);
    await queryMysql(
      admin,
      "create table items (id int primary key); create table unseen (id int primary key)",
    );
    const url = await newUser(admin);
    await queryMysql(admin, `grant select on \`${name}\`.items to '${new URL(url).username}'@'%'`);
    const find = async (filter = allOf(url)): Promise<string | undefined> =>
      (await checkPrimary(url, filter)).findings.find(({ what }) => what.includes("there may be others"))
        ?.sql;
    expect(await find({ include: [`${name}.items`, "*.other"], exclude: [] })).toBeUndefined();
    await queryMysql(admin, (await find()) ?? "");
    expect(await find()).toBeUndefined();
    expect((await checkPrimary(url)).tables).toHaveLength(2);
  });

  test("that is set all wrong: everything is named at once, with its statement", async () => {
    const settings = {
      "binlog-format": "STATEMENT",
      "binlog-row-metadata": "MINIMAL",
      "binlog-row-image": "MINIMAL",
      "binlog-expire-logs-seconds": "3600",
      ...(flavour === "mysql" ? { "gtid-mode": "OFF", "enforce-gtid-consistency": "OFF" } : {}),
    };
    await using server = await startMysql(flavour, { settings });
    await server.query("create database shop; create table shop.items (id int primary key) engine = MyISAM");
    const admin = server.url("shop");
    const url = await newUser(admin);
    const report = await checkPrimary(url);
    const all = report.findings.map(({ code, what }) => `${code}: ${what}`).join("\n");
    for (const part of [
      "setup-incomplete: binlog_format on the primary is STATEMENT",
      `setup-incomplete: binlog_row_metadata on the primary is MINIMAL`,
      "binlog-expires: the primary keeps its binlog for 1 hours",
      "setup-incomplete: binlog_row_image on the primary is MINIMAL",
      "may not read the binlog",
      "flush tables with read lock",
      "may not see any table of database shop",
      ...(flavour === "mysql"
        ? ["gtid-off: gtid_mode on the primary is OFF", "may not ask for the end of the binlog"]
        : []),
    ])
      expect(all).toContain(part);
    await queryMysql(admin, "set global binlog_row_metadata = FULL");
    await mend(admin, async () => ({
      findings: (await checkPrimary(url)).findings.filter(({ sql }) => sql !== undefined),
    }));
    expect(errors(await checkPrimary(url))).toEqual([]);
    if (flavour === "mysql") {
      await server.query("set global server_id = 0");
      expect(errors(await checkPrimary(url)).map(({ sql }) => sql)).toEqual(["set global server_id = 1"]);
    }
    await server.query(`set global server_id = ${serverIdOf("taken")}`);
    expect(errors(await checkPrimary(url, allOf(url), "taken"))[0]?.what).toContain("the primary's own");
    expect(errors(await checkPrimary(url, allOf(url), "another"))).toEqual([]);
    await server.stop();
    await server.start({ "skip-log-bin": "ON", "log-bin": "OFF" });
    expect(errors(await checkPrimary(admin)).map(({ what }) => what)).toContain(
      "the primary writes no binlog",
    );
  });

  test("a wrong password, a database that is absent, another product behind the url: without a secret", async () => {
    const url = await freshMysqlDatabase(flavour);
    const wrong = Object.assign(new URL(url), { password: "s3cret" }).href;
    const absent = Object.assign(new URL(url), { pathname: "/absent" }).href;
    const other = url.replace(/^\w+:/, flavour === "mysql" ? "mariadb:" : "mysql:");
    const found = await Promise.all(
      [wrong, absent, other].map(async (one) => (await checkPrimary(one)).findings),
    );
    expect(found.map((findings) => findings.map(({ code }) => code))).toEqual([
      ["authentication-failed"],
      ["setup-incomplete"],
      ["config-invalid"],
    ]);
    expect(found[2]?.[0]?.fix).toContain(`use engine ${flavour}`);
    expect(JSON.stringify(found)).not.toContain("s3cret");
  });
});

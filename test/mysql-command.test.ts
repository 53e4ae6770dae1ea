import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  eventually,
  execute,
  freshDatabase,
  type LockstepProcess,
  MYSQL_FLAVOURS,
  openMysql,
  queryMysql,
  sharedKafka,
  startMysql,
  uniqueName,
  type MysqlFlavour,
  type MysqlServer,
} from "@lockstep/testkit";
import { command } from "./command.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { expectAgreement } from "./status-of.ts";
import { drawn } from "./drawn.ts";

/* MySQL and MariaDB by the command alone, each into its own kind, on both logs. */

const TABLES = `
  create table accounts (id int primary key, balance bigint not null, note varchar(99));
  create table transfers (id bigint primary key auto_increment, source int not null, target int not null,
                          made_at timestamp(6) not null default current_timestamp(6));
  insert into accounts with recursive n (n) as (select 1 union all select n + 1 from n where n < 50)
    select n, 1000, concat('account ', n) from n`;

let servers: Readonly<Record<MysqlFlavour, readonly MysqlServer[]>>;

beforeAll(async () => {
  const [mysql, mysqlReplica, mariadb, mariadbReplica] = await Promise.all([
    startMysql("mysql"),
    startMysql("mysql"),
    startMysql("mariadb"),
    startMysql("mariadb"),
  ]);
  servers = { mysql: [mysql, mysqlReplica], mariadb: [mariadb, mariadbReplica] };
});

afterAll(async () => {
  await Promise.all(
    Object.values(servers ?? {})
      .flat()
      .map(async (server) => await server[Symbol.asyncDispose]()),
  );
});

/** What docs/mysql.md says that our users need, and nothing else. */
const RIGHTS: Readonly<Record<MysqlFlavour, { readonly primary: string; readonly replica: string }>> = {
  mysql: {
    primary: `grant replication slave, replication client, reload on *.* to lockstep; grant select on shop.* to lockstep`,
    replica: `grant select, insert, update, delete, create, references on shop.* to lockstep;
              grant select, insert, update, delete, create, drop, lock tables on lockstep.* to lockstep`,
  },
  mariadb: {
    primary: `grant replication slave, binlog monitor, binlog admin, reload on *.* to lockstep;
              grant select, references on shop.* to lockstep`,
    replica: `grant select, insert, update, delete, create, references on shop.* to lockstep;
              grant select, insert, update, delete, create, drop, lock tables on lockstep.* to lockstep`,
  },
};

/** The same database as a user of ours. */
async function asOurs(url: string, rights: string): Promise<string> {
  const database = new URL(url).pathname.slice(1);
  const user = `'${uniqueName("u").slice(0, 20)}'@'%'`;
  const named = rights.replaceAll("to lockstep", `to ${user}`).replaceAll("shop.*", `\`${database}\`.*`);
  await queryMysql(url, `create user ${user} identified by 'pw'; ${named}`);
  return Object.assign(new URL(url), { username: user.split("'")[1], password: "pw" }).href;
}

/** Transfers, one after the other, until the work is done. */
async function transferring(scenario: Scenario, work: () => Promise<void>): Promise<void> {
  let isOver = false;
  const client = async (): Promise<void> => {
    await using session = await openMysql(scenario.primaryUrl);
    for (let round = 1; !isOver; round++) {
      const [source, target] = [1 + (round % 50), 1 + ((round * 7) % 50)];
      await session.query(
        `begin; update accounts set balance = balance - 1 where id = ${source};
         update accounts set balance = balance + 1 where id = ${target};
         insert into transfers (source, target) values (${source}, ${target}); commit`,
      );
    }
  };
  const transfers = client();
  try {
    await work();
  } finally {
    isOver = true;
    await transfers;
  }
}

const countOf = async (url: string): Promise<number> =>
  Number((await queryMysql(url, "select count(*) as n from transfers"))[0]?.["n"]);

async function untilMoreThan(count: number, url: string): Promise<void> {
  await eventually("it goes on", async () => expect(await countOf(url)).toBeGreaterThan(count));
}

/** Killed in the middle of its work, and started again: the run that goes on. */
async function runOverKill(scenario: Scenario): Promise<LockstepProcess> {
  const [replica = ""] = scenario.replicaUrls;
  const killed = scenario.run();
  let run: LockstepProcess | null = null;
  await transferring(scenario, async () => {
    await killed.waitForLog("tables are live");
    await untilMoreThan(20, replica);
    // One that cannot be followed, and comes later, stops none of the others.
    await queryMysql(scenario.primaryUrl, "create table old (id int primary key) engine = MyISAM");
    killed.kill();
    await killed.exited;
    const before = await countOf(replica);
    run = scenario.run();
    await untilMoreThan(before + 20, replica);
  });
  await queryMysql(scenario.primaryUrl, "drop table old");
  if (run === null) throw new Error("there is no run");
  return run;
}

async function removed(scenario: Scenario): Promise<void> {
  const [replica = ""] = scenario.replicaUrls;
  expect(await command(scenario, "remove", "pipeline", "--yes")).toMatchObject({
    code: 0,
    text: expect.stringContaining("removed its progress (lockstep.progress)"),
  });
  expect(await queryMysql(replica, "show databases like 'lockstep'")).toEqual([]);
  await scenario.expectEqual(); // Tables and rows stay.
}

describe.each(MYSQL_FLAVOURS)("%s into its like", (flavour) => {
  test("checked, run, killed, paused, resumed, removed, with the embedded log", async () => {
    const urls = await createDatabases(servers[flavour]);
    const { primary: toRead, replica: toWrite } = RIGHTS[flavour];
    const [primary = "", replica = ""] = urls;
    const reachedAs = [await asOurs(primary, toRead), await asOurs(replica, toWrite)];
    const scenario = await Scenario.create({ urls, reachedAs });
    await queryMysql(scenario.primaryUrl, TABLES);
    const ready = expect.stringContaining("ready to run: 0 errors, 0 warnings");
    expect(await command(scenario, "check")).toMatchObject({ code: 0, text: ready });
    await using run = await runOverKill(scenario);
    await scenario.expectEqual();
    expect(await command(scenario, "pause")).toMatchObject({ code: 0 });
    await run.waitForLog("replica paused");
    const paused = await countOf(replica);
    await queryMysql(
      scenario.primaryUrl,
      "insert into transfers (source, target) values (1, 2); delete from accounts where id = 9",
    );
    expect(await command(scenario, "resume")).toMatchObject({ code: 0 });
    expect(paused).toBe((await countOf(scenario.primaryUrl)) - 1);
    await scenario.expectEqual();
    await expectAgreement(scenario, run, null);
    await run.stop();
    expect(scenario.conflicts).toEqual([]);
    await removed(scenario);
  });
});

test.each(drawn(MYSQL_FLAVOURS))("%s into its like: run and killed, with Kafka", async (flavour) => {
  const brokers = sharedKafka();
  const scenario = await Scenario.create({ urls: await createDatabases(servers[flavour]), brokers });
  await queryMysql(scenario.primaryUrl, TABLES);
  await using run = await runOverKill(scenario);
  await scenario.expectEqual();
  await expectAgreement(scenario, run, brokers);
  await run.stop();
  expect(scenario.conflicts).toEqual([]);
});

test("urls without a database: tables that are named in whole need none, and public of PostgreSQL does", async () => {
  const bare = (url: string): string => Object.assign(new URL(url), { pathname: "" }).href;
  const urls = await createDatabases(servers.mysql);
  const [primary = "", replica = ""] = urls;
  const database = new URL(primary).pathname.slice(1);
  await queryMysql(primary, "create table items (id int primary key); insert into items values (1)");
  const reachedAs = [bare(primary), bare(replica)];
  const scenario = await Scenario.create({ urls, reachedAs, include: `["${database}.*"]` });
  expect(await command(scenario, "check")).toMatchObject({ code: 0 });
  await using run = scenario.run();
  await run.waitForLog("tables are live");
  await queryMysql(primary, "insert into items values (2)");
  const there = Object.assign(new URL(replica), { pathname: `/${database}` }).href;
  await eventually("both rows", async () => {
    expect(await queryMysql(there, "select id from items order by id")).toEqual([{ id: "1" }, { id: "2" }]);
  });
  await run.stop();
  const postgres = await freshDatabase(0);
  await execute(
    postgres,
    "create table items (id int primary key); create schema shop; create table shop.items (id int primary key)",
  );
  const other = await Scenario.create({
    urls: [postgres, replica],
    reachedAs: [postgres, bare(replica)],
    include: '["public.*", "shop.*"]',
  });
  const said = await command(other, "check");
  expect(said).toMatchObject({
    code: 1,
    text: expect.stringContaining(
      "table public.items has no place on the replica, whose url names no database",
    ),
  });
  expect(said.text).not.toContain("table shop.items has no place");
});

test("check says what a replica of another engine gets of each column, and which values halt it", async () => {
  const [primary = ""] = await createDatabases(servers.mysql);
  const postgres = await freshDatabase(0);
  await queryMysql(
    primary,
    `create table items (id bigint unsigned primary key, name varchar(20), at datetime(3));
     create table notes (id int primary key, note varchar(20), day date)`,
  );
  const scenario = await Scenario.create({ urls: [primary, postgres] });
  const { code, text } = await command(scenario, "check", "--columns");
  expect(code).toBe(0);
  const database = new URL(primary).pathname.slice(1);
  const row = (...cells: readonly string[]): RegExp => new RegExp(`^${cells.join(" +")}$`, "m");
  const [id, name] = ["numeric\\(20,0\\)", "varchar\\(20\\)"];
  expect(text).toMatch(
    row(`${database}\\.items`, "id \\(key\\)", "bigint unsigned", `-> ${id}, will be created`),
  );
  expect(text).toMatch(row(`${database}\\.items`, "name", name, `-> ${name}, will be created`));
  expect(text.match(/tells texts apart/g)).toHaveLength(1);
  const [items, notes] = [`${database}.items`, `${database}.notes`];
  expect(text).toMatch(
    new RegExp(`year, month or day of zero, .*: .*${items} .*\\(at\\), .*${notes}.* \\(day\\)$`, "m"),
  );
  expect(text).toMatch(new RegExp(`U\\+0000, .*: .*${items} .*\\(name\\), .*${notes}.* \\(note\\)$`, "m"));
});

test("another product behind the url, and a url of another engine, are named with what to write", async () => {
  const [primary = "", replica = ""] = await createDatabases(servers.mysql);
  const scenario = await Scenario.create({
    urls: [primary, replica],
    reachedAs: [primary.replace("mysql:", "mariadb:"), replica],
  });
  const said = await command(scenario, "check");
  expect(said).toMatchObject({ code: 2, text: expect.stringContaining("write engine: mariadb") });
  const other = await Scenario.create({ urls: [primary.replace("mysql:", "mariadb:"), replica] });
  expect(await command(other, "check")).toMatchObject({
    code: 1,
    text: expect.stringMatching(/is MySQL [\d.]+, and not mariadb/),
  });
});

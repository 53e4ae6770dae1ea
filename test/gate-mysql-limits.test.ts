import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  eventually,
  MYSQL_FLAVOURS,
  openMysql,
  queryMysql,
  startMysql,
  type MysqlFlavour,
  type MysqlServer,
  type MysqlSession,
} from "@lockstep/testkit";
import { command } from "./command.ts";
import { drawn } from "./drawn.ts";
import { msOf } from "./gate/gated.ts";
import {
  enabledOf,
  letMysqlGo,
  mysqlGated,
  mysqlGateScenario,
  semiSync,
  untilMysqlWaits,
} from "./gate/mysql-gated.ts";
import { installSource, readLogAsReplica, stopReading } from "./gate/other-reader.ts";
import { createDatabases, Scenario } from "./scenario.ts";
import { metricsOf, statusOf, valueOf } from "./status-of.ts";

/* Where commits of MySQL or MariaDB would wait too long, or would not wait as they should. */

const SEMI_SYNC = "mode: semi-sync\nminReplicasSync: 1";

async function lockItems(url: string): Promise<MysqlSession> {
  const session = await openMysql(url);
  await session.query("lock tables items write");
  return session;
}

async function replicaHas(scenario: Scenario, id: number): Promise<boolean> {
  const [url = ""] = scenario.replicaUrls;
  return (await queryMysql(url, `select id from items where id = ${id}`)).length === 1;
}

interface Rig {
  readonly flavour: MysqlFlavour;
  readonly servers: readonly MysqlServer[];
  readonly primary: () => MysqlServer;
  readonly other: () => MysqlServer;
}

interface Limit {
  readonly name: string;
  readonly check: (rig: Rig) => Promise<void>;
}

const LIMITS: readonly Limit[] = [
  {
    name: "a replica that is late lets commits go after a while, which is said, and holds them again once it has made up for it",
    check: async ({ servers }) => {
      const scenario = await mysqlGateScenario(servers, `${SEMI_SYNC}\ndegradeAfterMs: 1000`);
      await using run = await mysqlGated(scenario);
      await using session = await openMysql(scenario.primaryUrl);
      await session.query("insert into items values (1, 'whole')");
      const lock = await lockItems(scenario.replicaUrls[0] ?? "");
      const ms = await msOf(session.query("insert into items values (2, 'late')"));
      expect(ms).toBeGreaterThan(900);
      expect(ms).toBeLessThan(5_000);
      await run.waitForLog("the quorum is late");
      expect((await command(scenario, "gate", "status")).text).toContain("commits do not wait (degraded)");
      expect(valueOf(await metricsOf(run), "replication_gate", { state: "degraded" })).toBe(1);
      expect((await statusOf(run)).primary.gate).toBe("degraded");
      expect(await msOf(session.query("insert into items values (3, 'let through')"))).toBeLessThan(900);
      await lock[Symbol.asyncDispose]();
      await run.waitForLog("the quorum has made up for it");
      await session.query("insert into items values (4, 'whole')");
      expect(await replicaHas(scenario, 4)).toBe(true);
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "with every process dead commits wait, through a new file, too; a new run that still lacks the quorum lets none go",
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      const killed = await mysqlGated(scenario);
      const lock = await lockItems(scenario.replicaUrls[0] ?? "");
      await using session = await openMysql(scenario.primaryUrl);
      let isOver = false;
      const insert = session.query("insert into items values (1, 'waits')").finally(() => (isOver = true));
      await eventually("the topic has it", async () => {
        expect((await statusOf(killed)).primary.stats.transactions).toBe(1);
      });
      killed.kill();
      await killed.exited;
      const flush = primary().query("flush binary logs");
      await untilMysqlWaits(primary());
      expect((await command(scenario, "gate", "status")).text).toMatch(/no run lives[\s\S]*wait now: 1/);
      await using run = scenario.run();
      await run.waitForLog("read again");
      await eventually("it reads the log", async () => {
        const readers = "select id from information_schema.processlist where command like 'Binlog Dump%'";
        expect(await primary().query(readers)).toHaveLength(1);
      });
      expect(isOver).toBe(false); // What it waits for is locked.
      await lock[Symbol.asyncDispose]();
      await insert;
      expect(await replicaHas(scenario, 1)).toBe(true);
      await flush;
      run.kill();
      await run.exited;
      const again = session.query("insert into items values (2, 'waits')");
      await untilMysqlWaits(primary());
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await again;
    },
  },
  {
    name: "what somebody else sets is set again, or is an answer; what was there before comes back",
    check: async ({ flavour, servers, primary }) => {
      if (flavour === "mysql") await installSource(primary());
      const names = Object.keys(await semiSync(primary(), "variables"));
      const prefix = enabledOf(flavour).replace("enabled", "");
      expect(names).toContain("timeout");
      await primary().query(`set global ${prefix}timeout = 1234, global ${prefix}wait_point = AFTER_COMMIT`);
      if (flavour === "mysql") await primary().query(`set persist ${prefix}wait_no_replica = OFF`);
      const before = await semiSync(primary(), "variables");
      const scenario = await mysqlGateScenario(servers, SEMI_SYNC);
      await using run = await mysqlGated(scenario);
      expect(await semiSync(primary(), "variables")).toMatchObject({
        enabled: "ON",
        timeout: "10000",
        wait_point: "AFTER_SYNC",
      });
      await primary().query(`set global ${prefix}wait_point = AFTER_COMMIT`);
      expect((await run.waitForLog("somebody has changed")).text).toContain("AFTER_COMMIT");
      await eventually("it is set again", async () =>
        expect((await semiSync(primary(), "variables"))["wait_point"]).toBe("AFTER_SYNC"),
      );
      await primary().query(`set global ${prefix}enabled = OFF`);
      await run.waitForLog("disabled by somebody");
      expect((await command(scenario, "gate", "status")).text).toContain("the gate is off");
      expect(await semiSync(primary(), "variables")).toEqual(before);
      if (flavour === "mysql") {
        const kept = await primary().query(
          "select variable_name as n from performance_schema.persisted_variables",
        );
        expect(kept).toEqual([{ n: `${prefix}wait_no_replica` }]);
      }
      await run.stop();
    },
  },
  {
    name: "another semi-synchronous replica is named: refused before, told afterwards",
    check: async ({ servers, primary, other }) => {
      const scenario = await mysqlGateScenario(servers, SEMI_SYNC);
      await readLogAsReplica(primary(), other());
      await eventually("it answers", async () =>
        expect((await semiSync(primary(), "status"))["clients"]).toBe("1"),
      );
      const refused = await command(scenario, "gate", "on");
      expect(refused).toMatchObject({
        code: 1,
        text: expect.stringContaining("another semi-synchronous replica reads the primary"),
      });
      await stopReading(other());
      await eventually("it has gone", async () => {
        await queryMysql(scenario.primaryUrl, "replace into items values (1, now(6))"); // So the server notices.
        expect((await semiSync(primary(), "status"))["clients"]).toBe("0");
      });
      await using run = await mysqlGated(scenario);
      await readLogAsReplica(primary(), other());
      await run.waitForLog("another semi-synchronous replica reads the primary");
      expect((await statusOf(run)).primary.gate).toBe("degraded");
      expect((await command(scenario, "gate", "status")).text).toContain("readers that answer: 2");
      await stopReading(other());
      await eventually("it has gone", async () => {
        await queryMysql(scenario.primaryUrl, "replace into items values (1, now(6))");
        expect((await statusOf(run)).primary.gate).toBe("armed");
      });
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "a replica that is copied anew while every commit waits for it: they are let go, and wait again afterwards",
    check: async ({ servers, primary, other }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync\nsnapshot: { existing: truncate }");
      await using run = await mysqlGated(scenario);
      await using session = await openMysql(scenario.primaryUrl);
      const [replica = ""] = scenario.replicaUrls;
      await other().kill();
      const waits = session.query("insert into items values (1, 'waits')");
      await untilMysqlWaits(primary());
      await other().start();
      await queryMysql(replica, "drop database lockstep; truncate items"); // As if it were new.
      const lock = await lockItems(replica);
      await waits;
      await eventually("it is said", async () => expect((await statusOf(run)).primary.gate).toBe("degraded"));
      await lock[Symbol.asyncDispose]();
      await run.waitForLog("tables are live", { count: 2 });
      await run.waitForLog("the gate is armed", { count: 2 });
      await session.query("insert into items values (2, 'whole')");
      expect(await replicaHas(scenario, 2)).toBe(true);
      await scenario.expectEqual();
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "a statement that is killed while its commit waits: MySQL lets it wait, MariaDB does not, which is said",
    check: async ({ flavour, servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      await using run = await mysqlGated(scenario);
      await using session = await openMysql(scenario.primaryUrl);
      const [own] = await session.query("select connection_id() as id");
      const lock = await lockItems(scenario.replicaUrls[0] ?? "");
      let isOver = false;
      const insert = session.query("insert into items values (1, 'waits')").finally(() => (isOver = true));
      await untilMysqlWaits(primary());
      await primary().query(`kill query ${String(own?.["id"])}`);
      if (flavour === "mariadb") {
        await insert;
        await run.waitForLog("somebody killed what waited");
      } else {
        expect((await command(scenario, "gate", "status")).text).toContain("wait now: 1");
        expect(isOver).toBe(false);
      }
      await lock[Symbol.asyncDispose]();
      await insert;
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "definitions that change while commits wait stand in nobody's way",
    check: async ({ flavour, servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      await using run = await mysqlGated(scenario);
      await using session = await openMysql(scenario.primaryUrl);
      const before = await semiSync(primary(), "status");
      const changes = [
        "create table apart (id int primary key)",
        "alter table apart add column w int",
        "rename table apart to beside",
        "drop table beside",
      ];
      for (const [id, sql] of changes.entries()) {
        await session.query(sql);
        await session.query(`insert into items values (${id}, 'behind it')`);
        expect(await replicaHas(scenario, id)).toBe(true);
      }
      expect(await semiSync(primary(), "status")).toMatchObject({ status: "ON", no_tx: before["no_tx"] });
      if (flavour === "mariadb") {
        await session.query("create table made as select * from items");
        await run.waitForLog("what a run needs to look up is locked");
        await run.waitForLog("the gate is armed", { count: 2 });
      }
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "a table that joins while the quorum is late lets no commit go: its replica answers meanwhile",
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      await primary().query("create database apart; create table apart.nobody (id int primary key)");
      await using run = await mysqlGated(scenario);
      await using busy = await openMysql(primary().url("apart"));
      await busy.query("lock tables nobody write"); // What is copied waits for it.
      await using session = await openMysql(scenario.primaryUrl);
      await session.query("create table beside (id int primary key)");
      const flushes = async (): Promise<number> => {
        const [row] = await primary().query("show global status like 'Com_flush'");
        return Number(row?.["Value"]);
      };
      const first = await flushes();
      await eventually("the copy is to begin", async () => expect(await flushes()).toBeGreaterThan(first));
      const lock = await lockItems(scenario.replicaUrls[0] ?? "");
      let isOver = false;
      const insert = session.query("insert into items values (1, 'waits')").finally(() => (isOver = true));
      await untilMysqlWaits(primary());
      const before = await flushes();
      await eventually("it has tried for long", async () =>
        expect(await flushes()).toBeGreaterThan(before + 6),
      );
      expect(isOver).toBe(false);
      await busy[Symbol.asyncDispose]();
      await lock[Symbol.asyncDispose]();
      await insert;
      expect(await replicaHas(scenario, 1)).toBe(true);
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "the primary starts again: the gate is armed, and a table that is altered meanwhile stands in nobody's way",
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      const run = await mysqlGated(scenario);
      await primary().stop();
      await primary().start();
      await run.waitForLog("the gate is armed", { count: 2 });
      {
        await using session = await openMysql(scenario.primaryUrl);
        await session.query("insert into items values (1, 'whole')");
        expect(await replicaHas(scenario, 1)).toBe(true);
        run.kill();
        await run.exited;
        const alter = session.query("alter table items add column w int");
        await untilMysqlWaits(primary());
        await using next = scenario.run();
        await alter;
        await next.stop();
      }
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
    },
  },
  {
    name: "a user is told every right that it lacks, and needs no other; over TLS",
    check: async ({ flavour, servers, primary }) => {
      const urls = await createDatabases(servers);
      const [primaryUrl = "", replicaUrl = ""] = urls;
      const database = new URL(primaryUrl).pathname.slice(1);
      const sees = flavour === "mysql" ? "replication client" : "binlog monitor";
      await primary().query(
        `create user ours identified by 'pw'; grant replication slave, ${sees}, reload on *.* to ours;
         grant select on ${database}.* to ours`,
      );
      const reached = Object.assign(new URL(primaryUrl), { username: "ours", password: "pw" });
      reached.searchParams.set("ssl-mode", "REQUIRED");
      const scenario = await Scenario.create({
        urls,
        reachedAs: [reached.href, replicaUrl],
        extra: "mode: sync",
      });
      await queryMysql(primaryUrl, "create table items (id int primary key, v varchar(30))");
      const before = await command(scenario, "gate", "on");
      expect(before).toMatchObject({ code: 1, text: expect.stringContaining("permission-denied") });
      const [, grants = ""] = /run on the primary: (.*)/.exec(before.text) ?? [];
      expect(grants).toContain(flavour === "mysql" ? "system_variables_admin" : "replication master admin");
      await primary().query(grants);
      await using run = await mysqlGated(scenario);
      await queryMysql(primaryUrl, "insert into items values (1, 'whole')");
      expect(await replicaHas(scenario, 1)).toBe(true);
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
      expect((await command(scenario, "remove", "pipeline", "--yes")).text).toContain("commit gate");
      await primary().query("drop user ours");
    },
  },
  {
    name: "the compressed protocol is refused with what to do, in the url and by the server",
    check: async ({ flavour, servers, primary }) => {
      const urls = await createDatabases(servers);
      const [primaryUrl = "", replicaUrl = ""] = urls;
      const reachedAs = [`${primaryUrl}?compress=true`, replicaUrl];
      const compressed = await Scenario.create({ urls, reachedAs });
      for (const words of [["check"], ["gate", "on"]]) {
        const { text } = await command(compressed, ...words);
        expect(text).toContain("the compressed protocol is not spoken");
        expect(text).toContain("take compress out of the url");
      }
      if (flavour === "mariadb") return; // It leaves that to its clients.
      const scenario = await Scenario.create({ urls });
      await using session = await openMysql(primaryUrl);
      await primary().query("set global protocol_compression_algorithms = 'zlib'");
      for (const words of [["check"], ["gate", "on"]])
        expect((await command(scenario, ...words)).text).toContain(
          "protocol_compression_algorithms = 'zlib,zstd",
        );
      await session.query("set global protocol_compression_algorithms = 'zlib,zstd,uncompressed'");
    },
  },
];

describe.each(drawn(MYSQL_FLAVOURS))("%s", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startMysql(flavour), startMysql(flavour)]);
  });
  afterEach(async () => await letMysqlGo(servers[0]));
  afterAll(async () => {
    await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
  });

  test.each(drawn(LIMITS))("$name", async ({ check }) => {
    await check({
      flavour,
      servers,
      primary: () => servers[0] ?? expect.unreachable(),
      other: () => servers[1] ?? expect.unreachable(),
    });
  });
});

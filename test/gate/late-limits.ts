import { expect } from "vitest";
import { eventually, openMysql, queryMysql } from "@lockstep/testkit";
import { command } from "../command.ts";
import { msOf } from "./gated.ts";
import { mysqlGated, mysqlGateScenario, untilMysqlWaits } from "./mysql-gated.ts";
import { lockItems, replicaHas, SEMI_SYNC, type Limit } from "./mysql-limit.ts";
import { metricsOf, statusOf, valueOf } from "../status-of.ts";

/** Starts of a server that are close to each other: so they are on any machine that is not very busy. */
const CLOSE_SECONDS = 3;
const MOST_STARTS = 6;

/** Commits of MySQL or MariaDB whose quorum is late, or whose run, replica or statement dies. */
export const LATE_LIMITS: readonly Limit[] = [
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
    name: "a primary that starts twice in a row is armed each time, also where a run dies over it",
    flavours: ["mariadb"], // It forgets what was set.
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      await using run = await mysqlGated(scenario);
      const startedAt = async (): Promise<number> => {
        const [row] = await primary().query("show global status like 'uptime'");
        return Date.now() / 1_000 - Number(row?.["Value"]);
      };
      let [former, apart] = [0, Infinity];
      for (let count = 2; apart > CLOSE_SECONDS && count < MOST_STARTS; count++) {
        await primary().stop();
        await primary().start();
        const started = await startedAt();
        apart = started - former;
        former = started;
        await run.waitForLog("the gate is armed", { count });
      }
      run.kill();
      await run.exited;
      await primary().stop();
      await primary().start();
      expect(await scenario.run({ LOCKSTEP_FAILPOINT: "gate-noted" }).exited).toMatchObject({
        signal: "SIGKILL",
      });
      await using next = scenario.run();
      await next.waitForLog("the gate is armed");
      await queryMysql(scenario.primaryUrl, "insert into items values (1, 'whole')");
      expect(await replicaHas(scenario, 1)).toBe(true);
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await next.stop();
    },
  },
];

import { expect } from "vitest";
import { eventually, openMysql, queryMysql } from "@lockstep/testkit";
import { command } from "../command.ts";
import { createDatabases } from "../scenario.ts";
import { mysqlGated, mysqlGateScenario, semiSync, untilMysqlWaits } from "./mysql-gated.ts";
import { lockItems, replicaHas, type Limit } from "./mysql-limit.ts";

/** Definitions that change on a primary of MySQL or MariaDB whose commits wait, and what looks them up. */
export const DEFINITION_LIMITS: readonly Limit[] = [
  {
    name: "definitions that change while commits wait stand in nobody's way",
    check: async ({ servers, primary }) => {
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
      await session.query("create table made as select * from items");
      await eventually("the replica has it, too", async () =>
        expect(await queryMysql(scenario.replicaUrls[0] ?? "", "select id from made")).toHaveLength(4),
      );
      expect(await semiSync(primary(), "status")).toMatchObject({ status: "ON", no_tx: before["no_tx"] });
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "definitions that change one behind the other, and several at once, stand in nobody's way",
    check: async ({ flavour, servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      const names = ["one", "two", "three", "four"];
      const untold = `g int as (v * 2) stored${flavour === "mariadb" ? ", u uuid default uuid()" : ""}`; // By the log.
      for (const name of names)
        await queryMysql(scenario.primaryUrl, `create table ${name} (id int primary key, v int, ${untold})`);
      await using run = await mysqlGated(scenario);
      const before = await semiSync(primary(), "status");
      await Promise.all(
        names.map(async (name) => {
          await using session = await openMysql(scenario.primaryUrl);
          for (let round = 1; round <= 5; round++) {
            await session.query(`alter table ${name} comment = 'of round ${round}'`);
            await session.query(`alter table ${name} add index i${round} (v)`);
            await session.query(`insert into ${name} (id, v) values (${round}, 1)`);
            await session.query(`update ${name} set v = v + 1`);
            await session.query(`alter table ${name} drop index i${round}`);
          }
        }),
      );
      expect(await semiSync(primary(), "status")).toMatchObject({ status: "ON", no_tx: before["no_tx"] });
      await scenario.expectEqual();
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "tables that join while others come and go: no commit waits for good",
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      const [apart = ""] = await createDatabases([primary()]);
      await using run = await mysqlGated(scenario);
      let haveJoined = false;
      const others = ["one", "two", "three"].map(async (name) => {
        await using session = await openMysql(apart);
        while (!haveJoined)
          for (const sql of [`create table ${name} (id int primary key)`, `drop table ${name}`])
            await session.query(sql);
      });
      await using session = await openMysql(scenario.primaryUrl);
      for (const count of [2, 3, 4]) {
        await session.query(`create table beside${count} (id int primary key)`);
        await run.waitForLog("tables are live", { count });
      }
      haveJoined = true;
      await Promise.all(others);
      await session.query("insert into beside4 values (1)");
      await scenario.expectEqual();
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "a run that starts waits for a table that somebody is still making, and lets no commit go for that",
    flavours: ["mariadb"],
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      const [apart = ""] = await createDatabases([primary()]);
      const killed = await mysqlGated(scenario);
      killed.kill();
      await killed.exited;
      await using slow = await openMysql(apart);
      const [own] = await slow.query("select connection_id() as id");
      const making = slow.query("create table slow as select sleep(100) as s").catch(() => []);
      await using session = await openMysql(scenario.primaryUrl);
      const before = await semiSync(primary(), "status");
      const insert = session.query("insert into items values (1, 'waits')");
      await untilMysqlWaits(primary());
      await using run = scenario.run();
      await eventually("it has waited for longer than for a commit that is in the way", async () => {
        const waiting = `select id from information_schema.processlist
           where state like '%metadata lock%' and time_ms > 5000`;
        expect(await primary().query(waiting)).not.toEqual([]);
      });
      await primary().query(`kill query ${String(own?.["id"])}`);
      await making;
      await insert;
      expect(await replicaHas(scenario, 1)).toBe(true);
      expect((await semiSync(primary(), "status"))["no_tx"]).toBe(before["no_tx"]);
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
  {
    name: "a table that joins while the quorum is late lets no commit go: its replica answers meanwhile",
    check: async ({ servers, primary }) => {
      const scenario = await mysqlGateScenario(servers, "mode: sync");
      const [apart = ""] = await createDatabases([primary()]);
      await queryMysql(apart, "create table nobody (id int primary key)");
      await using run = await mysqlGated(scenario);
      await using busy = await openMysql(apart);
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
];

import { expect } from "vitest";
import { eventually, openMysql, queryMysql } from "@lockstep/testkit";
import { command } from "../command.ts";
import { enabledOf, mysqlGated, mysqlGateScenario, semiSync } from "./mysql-gated.ts";
import { replicaHas, SEMI_SYNC, type Limit } from "./mysql-limit.ts";
import { installSource, readLogAsReplica, stopReading } from "./other-reader.ts";
import { createDatabases, Scenario } from "../scenario.ts";
import { statusOf } from "../status-of.ts";

/** Where commits of MySQL or MariaDB would not wait as they should: refused, named, or put right. */
export const REFUSAL_LIMITS: readonly Limit[] = [
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
  {
    name: "a primary without GTIDs is refused with what to do, and nothing is noted there",
    flavours: ["mysql"],
    check: async ({ servers, primary }) => {
      const scenario = await Scenario.create({ urls: await createDatabases(servers) });
      const steps = ["ON", "ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"];
      for (const mode of steps.slice(1)) await primary().query(`set global gtid_mode = ${mode}`);
      const refused = await command(scenario, "gate", "on");
      expect(refused).toMatchObject({
        code: 1,
        text: expect.stringMatching(/gtid_mode on the primary is OFF[\s\S]*turn gtid_mode on, step by step/),
      });
      expect(await primary().query("show databases like 'lockstep'")).toEqual([]);
      for (const mode of steps.toReversed().slice(1)) await primary().query(`set global gtid_mode = ${mode}`);
      await queryMysql(scenario.primaryUrl, "create table items (id int primary key, v varchar(30))");
      await using run = await mysqlGated(scenario);
      expect(await command(scenario, "gate", "off")).toMatchObject({ code: 0 });
      await run.stop();
    },
  },
];

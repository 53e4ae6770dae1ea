import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MYSQL_FLAVOURS, openMysql, queryMysql, startMysql, type MysqlServer } from "@lockstep/testkit";
import { command } from "./command.ts";
import { msOf } from "./gate/gated.ts";
import { letMysqlGo, mysqlGated, mysqlGateScenario, semiSync } from "./gate/mysql-gated.ts";
import { statusOf } from "./status-of.ts";

/* Commits on a primary of MySQL or MariaDB that wait for what the pipeline has confirmed. */

describe.each(MYSQL_FLAVOURS)("%s", (flavour) => {
  let servers: readonly MysqlServer[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startMysql(flavour), startMysql(flavour), startMysql(flavour)]);
  });
  afterEach(async () => await letMysqlGo(servers[0]));
  afterAll(async () => {
    await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
  });
  const primary = (): MysqlServer => servers[0] ?? expect.unreachable();

  test("a commit returns when every replica of the quorum has it, and one of nobody's tables at once", async () => {
    const scenario = await mysqlGateScenario(servers);
    await primary().query("create database apart; create table apart.nobody (id int primary key)");
    const before = await semiSync(primary(), "variables");
    await using run = await mysqlGated(scenario);
    await using session = await openMysql(scenario.primaryUrl);
    for (let id = 1; id <= 20; id++) {
      await session.query(`insert into items values (${id}, 'v')`);
      for (const url of scenario.replicaUrls)
        expect(await queryMysql(url, `select id from items where id = ${id}`)).toHaveLength(1);
    }
    for (let id = 1; id <= 5; id++)
      expect(await msOf(session.query(`insert into apart.nobody values (${id})`))).toBeLessThan(1_000);
    await primary().query("flush binary logs");
    expect(await msOf(session.query("insert into items values (21, 'in the next file')"))).toBeLessThan(
      2_000,
    );
    expect((await statusOf(run)).primary.gate).toBe("armed");
    expect((await command(scenario, "gate", "status")).text).toContain("the gate is armed");
    expect(await command(scenario, "gate", "off")).toMatchObject({
      code: 0,
      text: expect.stringContaining("no commit waits"),
    });
    const after = await semiSync(primary(), "variables");
    if (flavour === "mariadb") expect(after).toEqual(before);
    expect(after["enabled"]).toBe("OFF");
    await scenario.expectEqual();
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  });
});

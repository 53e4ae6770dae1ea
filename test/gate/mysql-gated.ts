import { expect } from "vitest";
import {
  eventually,
  queryMysql,
  type LockstepProcess,
  type MysqlFlavour,
  type MysqlServer,
} from "@lockstep/testkit";
import { command } from "../command.ts";
import { createDatabases, Scenario } from "../scenario.ts";

/** A table on the primary, and replicas that commits may wait for. */
export async function mysqlGateScenario(
  servers: readonly MysqlServer[],
  extra = "mode: sync",
): Promise<Scenario> {
  const scenario = await Scenario.create({ urls: await createDatabases(servers), extra });
  await queryMysql(scenario.primaryUrl, "create table items (id int primary key, v varchar(30))");
  return scenario;
}

/** A run whose gate is armed. */
export async function mysqlGated(scenario: Scenario): Promise<LockstepProcess> {
  const run = scenario.run();
  await run.waitForLog("tables are live", { count: scenario.replicaUrls.length });
  expect(await command(scenario, "gate", "on")).toMatchObject({ code: 0 });
  await run.waitForLog("the gate is armed");
  return run;
}

/** What a server's semi-synchronous replication is set to, and says. */
export async function semiSync(
  server: MysqlServer,
  what: "variables" | "status",
): Promise<Record<string, string>> {
  const prefix = server.flavour === "mysql" ? "rpl_semi_sync_source_" : "rpl_semi_sync_master_";
  const rows = await server.query(`show global ${what} like '${prefix}%'`);
  return Object.fromEntries(
    rows.map((row) => [(row["Variable_name"] ?? "").slice(prefix.length), row["Value"] ?? ""]),
  );
}

/** For after a test, whatever came of it: nobody waits. */
export async function letMysqlGo(server: MysqlServer | undefined): Promise<void> {
  const name = server === undefined ? "" : enabledOf(server.flavour);
  await server?.query(`set global ${name} = OFF`).catch(() => undefined); // MySQL may have no such thing yet.
  await server?.query("drop database if exists lockstep");
}

export function enabledOf(flavour: MysqlFlavour): string {
  return flavour === "mysql" ? "rpl_semi_sync_source_enabled" : "rpl_semi_sync_master_enabled";
}

export async function untilMysqlWaits(server: MysqlServer, count = 1): Promise<void> {
  const waiting = async (): Promise<void> =>
    expect((await semiSync(server, "status"))["wait_sessions"]).toBe(String(count));
  await eventually(`${count} commits wait`, waiting);
}

import { afterEach, expect, test } from "vitest";
import { openSession, sharedKafka } from "@lockstep/testkit";
import { command } from "./command.ts";
import { SETTING, gateScenario, letGo, msOf, off } from "./gate/gated.ts";
import { ownServers } from "./own-servers.ts";
import { Scenario } from "./scenario.ts";

/* The gate by a role that is no superuser. */
const servers = ownServers(3);

afterEach(async () => await letGo(servers[0]));

const newScenario = async (): Promise<Scenario> => await gateScenario(servers);

function as(url: string, username: string): string {
  return Object.assign(new URL(url), { username }).toString();
}

test("a role that may not is refused with the grants, and with them it may; what else it lacks is named, before it matters and when it does", async () => {
  const scenario = await newScenario();
  const { pathname } = new URL(scenario.primaryUrl);
  await scenario.onPrimary("create role operator login replication");
  await scenario.onPrimary("create role cleaner login; grant pg_maintain to cleaner");
  await scenario.onPrimary(`alter database ${pathname.slice(1)} owner to operator`);
  await scenario.onPrimary("alter table items owner to operator");
  const limited = await Scenario.create({
    brokers: sharedKafka(),
    urls: [scenario.primaryUrl, ...scenario.replicaUrls],
    reachedAs: [as(scenario.primaryUrl, "operator"), ...scenario.replicaUrls],
    pipeline: scenario.pipeline,
    extra: "mode: sync",
  });
  await using run = limited.run();
  await run.waitForLog("tables are live", { count: 2, timeoutMs: 15_000 });
  const refused = await command(limited, "gate", "on");
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("permission-denied") });
  expect(await command(limited, "gate", "status")).toMatchObject({
    code: 0,
    text: expect.stringContaining("is off"),
  });
  const [, grants = ""] = /as a superuser: (.*)/.exec(refused.text) ?? [];
  expect(await scenario.onPrimary(SETTING)).toEqual([{ setting: "" }]);
  for (const grant of grants.split("; ")) await scenario.onPrimary(grant);
  const reload = "select pg_reload_conf()";
  for (const sql of ["alter system set synchronous_standby_names = 's1'", reload])
    await scenario.onPrimary(sql);
  const blind = await command(limited, "gate", "on");
  expect(blind).toMatchObject({
    code: 1,
    text: expect.stringContaining('grant pg_read_all_stats to "operator"'),
  });
  for (const sql of ["alter system reset synchronous_standby_names", reload]) await scenario.onPrimary(sql);
  const on = await command(limited, "gate", "on");
  expect(on).toMatchObject({
    code: 0,
    text: expect.stringContaining('grant pg_signal_backend to "operator"'),
  });
  await run.waitForLog("the gate is armed", { timeoutMs: 15_000 });

  await using admin = await openSession(scenario.primaryUrl);
  await using cleaner = await openSession(as(scenario.primaryUrl, "cleaner"));
  const hidden = cleaner.query("vacuum full pg_catalog.pg_class");
  const { text } = await run.waitForLog("a session whose state our role may not see");
  const [cancel = ""] = /select pg_cancel_backend\(\d+\)/.exec(text) ?? [];
  await admin.query(cancel);
  await hidden;
  await admin.query("set synchronous_commit = local; grant pg_read_all_stats, pg_signal_backend to operator");
  expect(await msOf(cleaner.query("vacuum full pg_catalog.pg_class"))).toBeLessThan(10_000);
  await run.waitForLog("it waits no longer");
  await using superuser = await openSession(scenario.primaryUrl);
  const refusedToo = superuser.query("vacuum full pg_catalog.pg_class");
  const { text: named } = await run.waitForLog("a commit that our role may not cancel");
  await admin.query(/select pg_cancel_backend\(\d+\)/.exec(named)?.[0] ?? "");
  await refusedToo;
  await off(limited);
  await run.stop();
});

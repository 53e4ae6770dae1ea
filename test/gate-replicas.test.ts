import { afterEach, expect, test } from "vitest";
import { execute, FileBackup, openSession, sharedKafka } from "@lockstep/testkit";
import { gated, letGo, off, untilWaiting } from "./gate/gated.ts";
import { ownServers } from "./own-servers.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* What happens to the replicas that commits wait for. */
const servers = ownServers(3);

afterEach(async () => await letGo(servers[0]));

async function expectRows(url: string, count: number): Promise<void> {
  expect(await execute(url, "select from items")).toHaveLength(count);
}

test("in mode sync, while commits wait for it, a replica is restored from an older copy, and another one is added", async () => {
  const urls = await createDatabases(servers);
  const [, first = "", second = ""] = urls;
  const options = { brokers: sharedKafka(), extra: "mode: sync" };
  const alone = await Scenario.create({ ...options, urls: urls.slice(0, 2) });
  await alone.onPrimary("create table items (id int primary key, v text)");
  await using run = await gated(alone);
  await using session = await openSession(alone.primaryUrl);
  await session.query("set synchronous_commit = remote_apply");
  await session.query("insert into items values (1, 'in the copy')");
  await servers[1]?.stop();
  await using backup = await FileBackup.take(servers[1] ?? expect.unreachable());
  await servers[1]?.start();
  await session.query("insert into items values (2, 'not in the copy')");
  await servers[1]?.stop("immediate");
  const restored = session.query("insert into items values (3, 'waits')");
  await untilWaiting(alone.primaryUrl);
  await backup.restore();
  await servers[1]?.start();
  await restored;
  await expectRows(first, 3);

  run.kill();
  await run.exited;
  const added = session.query("insert into items values (4, 'waits')");
  await untilWaiting(alone.primaryUrl);
  const both = await Scenario.create({ ...options, urls, pipeline: alone.pipeline });
  await using next = both.run();
  await added;
  await expectRows(first, 4);
  await next.waitForLog("tables are live");
  await session.query("insert into items values (5, 'waits for both')");
  for (const url of [first, second]) await expectRows(url, 5);
  await off(both);
  await both.expectEqual();
  await next.stop();
});

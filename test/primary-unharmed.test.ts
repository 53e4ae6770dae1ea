import { expect, test } from "vitest";
import { openSession, sharedKafka, startPostgres, freshDatabase } from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

test("a primary whose commits nobody answers for makes no session of ours wait; no table is published that it would then lock (H1)", async () => {
  await using primary = await startPostgres({ settings: { synchronous_standby_names: "nobody" } });
  await using app = await openSession(primary.url());
  await app.query("set synchronous_commit = local");
  await app.query("create table items (id int primary key, v text); insert into items values (1, 'before')");
  const scenario = await Scenario.create({
    brokers: sharedKafka(),
    urls: [primary.url(), await freshDatabase(1)],
  });
  await using run = scenario.run();
  await run.waitForLog("following");
  await app.query("insert into items values (2, 'after')");

  // Tables that come later: one that can be followed, and one whose updates the server would refuse.
  await app.query("create table later (id int primary key); insert into later values (1)");
  await app.query("create table keyless (v int); insert into keyless values (1)");
  await run.waitForLog("a table that matches cannot be replicated");
  await run.waitForLog("new tables on the primary");
  const published = await app.query(
    "select tablename as name from pg_publication_tables where pubname like 'lockstep_%' order by 1",
  );
  expect(published).toEqual([{ name: "items" }, { name: "later" }]);
  await app.query("update keyless set v = 2; delete from keyless; drop table keyless");
  await app.query("update later set id = 2");
  await scenario.expectEqual();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  // Ours are the sessions that would still wait.
  expect(await app.query("select from pg_stat_activity where wait_event = 'SyncRep'")).toEqual([]);
});

import { expect, test } from "vitest";
import { eventually, execute, freshDatabase, sharedKafka } from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

/* What becomes of rows that a replica's tables hold before they are copied. */

async function newScenario(existing: string): Promise<{ scenario: Scenario; replica: string }> {
  const urls = [await freshDatabase(0), await freshDatabase(1)];
  const extra = `snapshot: { existing: ${existing} }`;
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls, extra });
  const tables = `create table parent (id int primary key, v text);
    create table child (id int primary key, parent int references parent)`;
  await scenario.everywhere(tables);
  const [replica = ""] = scenario.replicaUrls;
  await scenario.onPrimary("insert into parent values (1, 'p1'), (2, 'p2'); insert into child values (1, 1)");
  await execute(
    replica,
    "insert into parent values (2, 'mine'), (9, 'mine'); insert into child values (9, 9)",
  );
  return { scenario, replica };
}

test("truncate deletes them, also where a foreign key forbids TRUNCATE", async () => {
  const { scenario } = await newScenario("truncate");
  await using run = scenario.run();
  await run.waitForLog("deleting rows before a copy");
  await run.waitForLog("following");
  await scenario.onPrimary("insert into parent values (3, 'p3')");
  await scenario.expectEqual();
});

test("keep leaves those that the primary does not have, and overwrites the others", async () => {
  const { scenario, replica } = await newScenario("keep");
  {
    await using run = scenario.run({ LOCKSTEP_FAILPOINT: "table-copied:1" });
    expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
  }
  // Deleted between two attempts: what a torn one had left would stay as if it had been there before.
  await scenario.onPrimary("delete from child; delete from parent where id = 1");
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("insert into parent values (3, 'p3')");
  await eventually("it has arrived", async () => {
    expect(await execute(replica, "select * from parent order by id")).toEqual([
      { id: 2, v: "p2" },
      { id: 3, v: "p3" },
      { id: 9, v: "mine" },
    ]);
    expect(await execute(replica, "select * from child order by id")).toEqual([{ id: 9, parent: 9 }]);
  });
  expect(scenario.conflicts).toEqual([]);
});

test("keep overwrites columns that are generated always as identity, and leaves the replica's own", async () => {
  const urls = [await freshDatabase(0), await freshDatabase(1)];
  const extra = "snapshot: { existing: keep }";
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls, extra });
  const [replica = ""] = scenario.replicaUrls;
  await scenario.everywhere(
    "create table items (id int primary key, n int generated always as identity, v text)",
  );
  await scenario.onPrimary("insert into items (id, v) values (1, 'one'), (2, 'two'), (3, 'three')");
  await execute(
    replica,
    `alter table items add column own text default 'new'; insert into items (id, v, own) values (9, 'mine', 'kept'), (2, 'mine', 'kept')`,
  );
  await using run = scenario.run();
  await run.waitForLog("following");
  await scenario.onPrimary("update items set n = default, v = 'drei' where id = 3");
  await eventually("it has arrived", async () => {
    expect(await execute(replica, "select items::text as row from items order by id")).toEqual([
      { row: "(1,1,one,new)" },
      { row: "(2,2,two,kept)" },
      { row: "(3,4,drei,new)" },
      { row: "(9,1,mine,kept)" },
    ]);
  });
  expect(scenario.conflicts).toEqual([]);
});

test("keep without a key to tell rows by is refused by name", async () => {
  const urls = [await freshDatabase(0), await freshDatabase(1)];
  const extra = "snapshot: { existing: keep }";
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls, extra });
  await scenario.everywhere("create table keyless (v int); alter table keyless replica identity full");
  await scenario.everywhere("insert into keyless values (1)");
  await using run = scenario.run();
  const refused = await run.waitForLog("table-not-empty");
  expect(refused.text).toContain("public.keyless");
});

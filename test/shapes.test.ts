import { expect, test } from "vitest";
import { eventually, execute, freshDatabase, sharedKafka } from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";
import { TABLES, WORK } from "./shapes.ts";

async function newScenario(include = '["*.*"]'): Promise<Scenario> {
  const urls = [await freshDatabase(0), await freshDatabase(1), await freshDatabase(1)];
  return await Scenario.create({ brokers: sharedKafka(), urls, include });
}

test("tables of every shape, under work of every kind", { timeout: 180_000 }, async () => {
  const scenario = await newScenario();
  await scenario.everywhere(TABLES);
  await scenario.onPrimary(WORK);
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  // Small transactions while it follows, then a backlog that is applied in large windows: in bulk, since changes
  // of rows without a key, one by one, are left out.
  await scenario.onPrimary("call work(1, 60, true)");
  await scenario.expectEqual();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  await scenario.onPrimary("call work(61, 240, false)");
  await using next = scenario.run();
  await scenario.expectEqual({ timeoutMs: 120_000 });
  expect(scenario.conflicts).toEqual([]);
  expect(next.hasExited).toBe(false);
});

test("a partitioned table arrives in one that is not, and the other way round", async () => {
  const scenario = await newScenario();
  const [one = "", other = ""] = scenario.replicaUrls;
  const parts = `create table parts (id int primary key, v text) partition by range (id);
    create table parts_low partition of parts for values from (0) to (100);
    create table parts_high partition of parts for values from (100) to (200);`;
  const whole = "create table whole (id int primary key, v text);";
  await scenario.onPrimary(parts + whole);
  await execute(one, "create table parts (id int primary key, v text);" + whole);
  await execute(
    other,
    parts +
      whole.replace(";", " partition by hash (id);") +
      `
    create table whole_0 partition of whole for values with (modulus 2, remainder 0);
    create table whole_1 partition of whole for values with (modulus 2, remainder 1);`,
  );
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(
    `insert into parts select g, 'v' from generate_series(0, 198) g;
     insert into whole select g, 'v' from generate_series(1, 100) g`,
  );
  await scenario.onPrimary(
    "delete from parts where id % 3 = 0; update parts set v = 'moved', id = 99 where id = 100",
  );
  await scenario.onPrimary("update whole set v = 'w' where id % 2 = 0; delete from whole where id % 5 = 0");
  const read = async (url: string): Promise<unknown[]> =>
    await execute(url, "select * from parts union all select id + 1000, v from whole order by 1");
  const expected = await read(scenario.primaryUrl);
  for (const url of scenario.replicaUrls) {
    await eventually("it has arrived", async () => expect(await read(url)).toEqual(expected));
  }
  expect(scenario.conflicts).toEqual([]);
});

test("a schema change in mid-stream halts the replica by name, and it goes on by itself once it fits", async () => {
  const scenario = await newScenario();
  const [one = "", other = ""] = scenario.replicaUrls;
  await scenario.everywhere("create table items (id int primary key, label text)");
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (1, 'one')");
  await execute(other, "alter table items add column price numeric(10,2)"); // Ahead of the primary: that is no fault.
  await scenario.onPrimary("insert into items values (2, 'two')");
  await eventually("the other has it", async () =>
    expect(await execute(other, "select id from items order by id")).toHaveLength(2),
  );
  await scenario.onPrimary(
    "alter table items add column price numeric(10,2); insert into items values (3, 'three', 3.30)",
  );
  const halted = await run.waitForLog("replica halted");
  expect(halted.text).toContain("public.items on replica replica-1: column price is missing");
  expect(halted.text).toContain('add column \\"price\\" numeric(10,2)');
  await eventually("the other goes on", async () =>
    expect(await execute(other, "select price from items where id = 3")).toEqual([{ price: "3.30" }]),
  );
  await execute(one, "alter table items add column price numeric(10,2)");
  await scenario.expectEqual();
  await scenario.onPrimary("alter table items drop column label; update items set price = 1");
  // What the replicas still have and the primary does not is left alone.
  for (const url of scenario.replicaUrls) {
    await eventually("the update arrives", async () =>
      expect(await execute(url, "select distinct price from items")).toEqual([{ price: "1.00" }]),
    );
  }
  expect(run.log.filter(({ text }) => text.includes("replica halted"))).toHaveLength(1);
});

import { expect, test } from "vitest";
import { execute, freshDatabase, openSession, sharedKafka } from "@lockstep/testkit";
import { Scenario } from "./scenario.ts";

/** Rows that share their `a`, under keys that come and go: matched by what is no key, they would be mixed up. */
const WORK = `
  create procedure work(first int, rounds int) language plpgsql as $body$
  begin
    for i in first..first + rounds - 1 loop
      insert into items values (i % 7, i, 'new');
      update items set v = 'v' || i where b = first + floor(random() * (i - first + 1));
      update items set a = (a + 1) % 7 where b = first + floor(random() * (i - first + 1));
      delete from items where b = first + floor(random() * (i - first + 1)) and random() < 0.2;
      commit;
    end loop;
  end $body$;`;

test("primary keys under replica identity full that are dropped, made and exchanged while work goes on", async () => {
  const urls = [await freshDatabase(0), await freshDatabase(1), await freshDatabase(1)];
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls });
  await scenario.everywhere(
    `create table items (a int constraint by_a primary key, b int not null, v text);
     create unique index on items (b); alter table items replica identity full`,
  );
  await scenario.onPrimary(WORK);
  let run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary(
    "insert into items select g, g, 'old' from generate_series(-5, -1) g; update items set v = 'first'",
  );
  await scenario.expectEqual();
  for (const url of scenario.replicaUrls) await execute(url, "alter table items drop constraint by_a");

  await using worker = await openSession(scenario.primaryUrl);
  await worker.query("alter table items drop constraint by_a");
  for (let round = 0; round < 3; round++) {
    const working = worker.query(`call work(${round * 10_000}, 400)`);
    for (const sql of [
      "alter table items add constraint by_b primary key (b)",
      "analyze items",
      "alter table items drop constraint by_b",
      "alter table items add constraint by_b primary key (b)",
    ]) {
      await scenario.onPrimary(sql);
    }
    if (round === 1) {
      run.kill("SIGKILL");
      await run.exited;
    }
    await working;
    await scenario.onPrimary("alter table items drop constraint by_b");
    if (round === 1) run = scenario.run();
    await scenario.expectEqual();
  }
  expect(scenario.conflicts).toEqual([]);
  expect(run.log.filter(({ msg }) => msg === "replica halted")).toEqual([]);
  expect(await run.stop()).toEqual({ code: 0, signal: null });
});

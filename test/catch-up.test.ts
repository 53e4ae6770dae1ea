import { expect, test } from "vitest";
import { eventually, execute, sharedKafka, startPostgresServers } from "@lockstep/testkit";
import { createDatabases, Scenario } from "./scenario.ts";

const TRANSACTIONS = 50_000;
const CHANGES_EACH = 4;
/** Two quiet cores make 45,000 and more; half of the 40,000 we promise ourselves is a noisy machine, less is a fault. */
const LEAST_CHANGES_PER_SECOND = 20_000;
const MOST_RSS_BYTES = 300 * 1024 * 1024;
const ACCOUNTS = 100_000;

/** The tables of TPC-B; history with a key, since a table without one cannot be followed yet. */
const TABLES = `
  create table branches (bid int primary key, bbalance int not null, filler char(88));
  create table tellers (tid int primary key, bid int not null, tbalance int not null, filler char(84));
  create table accounts (aid int primary key, bid int not null, abalance int not null, filler char(84));
  create table history (id bigint primary key, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));`;

const FILL = `
  insert into branches values (1, 0, '');
  insert into tellers select g, 1, 0, '' from generate_series(1, 10) g;
  insert into accounts select g, 1, 0, '' from generate_series(1, ${ACCOUNTS}) g;`;

/** What pgbench runs, inside the server so that making the load takes seconds. */
const LOAD = `
  create procedure tpcb(count int) language plpgsql as $body$
  declare a int; t int; d int;
  begin
    for i in 1..count loop
      a := 1 + floor(random() * ${ACCOUNTS}); t := 1 + floor(random() * 10); d := floor(random() * 10000) - 5000;
      update accounts set abalance = abalance + d where aid = a;
      update tellers set tbalance = tbalance + d where tid = t;
      update branches set bbalance = bbalance + d where bid = 1;
      insert into history values (i, t, 1, a, d, clock_timestamp(), '');
      commit;
    end loop;
  end $body$;`;

test("a catch-up over TPC-B is of the right order of magnitude", { timeout: 240_000 }, async () => {
  const servers = await startPostgresServers(3);
  await using _servers = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(servers.map((s) => s[Symbol.asyncDispose]()))),
  };
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls: await createDatabases(servers) });
  await scenario.everywhere(TABLES);
  {
    await using first = scenario.run();
    await first.waitForLog("following", { count: 2 });
    await scenario.onPrimary(FILL);
    await scenario.expectEqual();
    expect(await first.stop()).toEqual({ code: 0, signal: null });
  }
  await scenario.onPrimary(LOAD);
  await scenario.onPrimary(`call tpcb(${TRANSACTIONS})`);

  const startedMs = performance.now();
  await using run = scenario.run();
  const seconds = await Promise.all(
    scenario.replicaUrls.map(async (url) => {
      await eventually(
        "history is complete",
        async () => {
          const [row] = await execute<{ max: string | null }>(
            url,
            "select max(id)::text as max from history",
          );
          if (run.hasExited) throw new Error("lockstep has ended");
          if (row?.max !== String(TRANSACTIONS)) throw new Error(`history is at ${row?.max ?? "nothing"}`);
        },
        { timeoutMs: 120_000, intervalMs: 100 },
      );
      return (performance.now() - startedMs) / 1_000;
    }),
  );
  const rates = seconds.map((value) => Math.round((TRANSACTIONS * CHANGES_EACH) / value));
  const rss = run.peakRssBytes();
  process.stdout.write(
    `catch-up: ${rates.join(" and ")} row changes/s at each replica, process start included; peak RSS ${Math.round(rss / 1024 / 1024)} MB\n`,
  );
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  expect(Math.min(...rates)).toBeGreaterThan(LEAST_CHANGES_PER_SECOND);
  expect(rss).toBeLessThan(MOST_RSS_BYTES);
});

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Bank,
  BANK_TABLES,
  eventually,
  execute,
  LockstepProcess,
  startPostgresServers,
  watchTotal,
  type PostgresServer,
} from "@lockstep/testkit";
import { createDatabases, Scenario } from "./scenario.ts";

/* The product without a broker. */
let servers: PostgresServer[];

beforeAll(async () => {
  servers = await startPostgresServers(3);
});

afterAll(async () => {
  await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
});

test(
  "killed at every failpoint and at random, under a bank that never rests",
  { timeout: 180_000 },
  async () => {
    const scenario = await Scenario.create({ urls: await createDatabases(servers) });
    await scenario.everywhere(BANK_TABLES);
    const bank = new Bank(scenario.primaryUrl, { accounts: 50, clients: 4, pauseMs: 5 });
    {
      await using first = scenario.run();
      await first.waitForLog("following", { count: 2 });
      await bank.open();
      await scenario.expectEqual();
    }
    const stop = new AbortController();
    const working = bank.run(stop.signal);
    const watching = scenario.replicaUrls.map(async (url) => await watchTotal(url, bank.total, stop.signal));
    for (const failpoint of ["decoded:40", "appended:30", "applied:20", "committed:20", "acked:30"]) {
      await using run = scenario.run({ LOCKSTEP_FAILPOINT: failpoint });
      expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
    }
    for (let round = 0; round < 6; round++) {
      await using run = scenario.run();
      if (round % 2 === 0) await run.waitForLog("following", { count: 2 });
      await sleep(Math.random() * 900);
      run.kill("SIGKILL");
      await run.exited;
    }
    await using last = scenario.run();
    await last.waitForLog("following", { count: 2 });
    stop.abort();
    const [watches] = await Promise.all([Promise.all(watching), working]);
    await scenario.expectEqual();
    for (const { reads, wrong } of watches) {
      expect(wrong).toEqual([]);
      expect(reads).toBeGreaterThan(0);
    }
    expect(scenario.conflicts).toEqual([]);
    expect(await last.stop()).toEqual({ code: 0, signal: null });
    await using tail = new LockstepProcess([
      "tail",
      "-c",
      scenario.configPath,
      "--from",
      "end",
      "--no-follow",
    ]);
    expect(await tail.exited).toEqual({ code: 0, signal: null });
  },
);

test(
  "a full log makes the source wait, and goes on by itself once the replica is back",
  { timeout: 180_000 },
  async () => {
    const maxLogBytes = 64 * 1024 * 1024;
    const scenario = await Scenario.create({
      urls: (await createDatabases(servers)).slice(0, 2),
      maxLogBytes,
    });
    await scenario.everywhere("create table items (id int primary key, filler text)");
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary("insert into items values (0)");
    await scenario.expectEqual();
    const [, replica] = servers;
    await replica?.stop("immediate");
    // More than the log holds, while the only replica is away.
    for (let part = 0; part < 20; part++) {
      await scenario.onPrimary(
        `insert into items select ${part} * 10000 + g, repeat('x', 1000) from generate_series(1, 5000) g`,
      );
    }
    await run.waitForLog("the event log is full");
    await replica?.start();
    await scenario.expectEqual({ timeoutMs: 90_000 });
    expect(scenario.conflicts).toEqual([]);
    // And again: what every replica has makes room while it flows.
    await scenario.onPrimary("update items set filler = repeat('y', 1000) where id % 2 = 0");
    await scenario.onPrimary("delete from items where id % 3 = 0");
    await scenario.expectEqual({ timeoutMs: 90_000 });
    const trimmed = await eventually("it was trimmed", async () => {
      await Promise.resolve();
      const found = run.log.filter(({ text }) => text.includes("trimmed the log"));
      expect(found.length).toBeGreaterThan(0);
      return found;
    });
    expect(trimmed.length).toBeGreaterThan(0);
    expect(run.peakRssBytes()).toBeLessThan(300 * 1024 * 1024);
    expect(await run.stop()).toEqual({ code: 0, signal: null });
    await using next = scenario.run(); // From what is left of it.
    await next.waitForLog("following");
    await execute(scenario.primaryUrl, "insert into items values (-1)");
    await scenario.expectEqual();
  },
);

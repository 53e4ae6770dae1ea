import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Bank,
  BANK_TABLES,
  eventually,
  execute,
  startKafka,
  startPostgresServers,
  watchTotal,
  type KafkaBroker,
  type LockstepProcess,
  type PostgresServer,
} from "@lockstep/testkit";
import { createDatabases, Scenario } from "./scenario.ts";

/*
 * One pipeline of two replicas through everything that can be killed, under a bank that never rests and two
 * readers that never may see a wrong sum.
 */
let broker: KafkaBroker;
let servers: PostgresServer[];
let scenario: Scenario;
let bank: Bank;

beforeAll(async () => {
  [broker, servers] = await Promise.all([startKafka(), startPostgresServers(3)]);
  scenario = await Scenario.create({ brokers: broker.brokers, urls: await createDatabases(servers) });
  await scenario.everywhere(BANK_TABLES);
  bank = new Bank(scenario.primaryUrl, { accounts: 50, clients: 4, pauseMs: 5 });
  await using first = scenario.run();
  await first.waitForLog("following", { count: 2 });
  await bank.open();
  await scenario.expectEqual();
});

afterAll(async () => {
  await Promise.all([broker, ...servers].map(async (server) => await server[Symbol.asyncDispose]()));
});

/** Runs `fault` under load, then proves that nothing was lost, doubled or torn. */
async function underLoad(fault: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const working = bank.run(stop.signal);
  const watching = scenario.replicaUrls.map(async (url) => await watchTotal(url, bank.total, stop.signal));
  try {
    await fault();
  } finally {
    stop.abort();
  }
  const [watches] = await Promise.all([Promise.all(watching), working]);
  await using last = scenario.run();
  await scenario.expectEqual();
  for (const { reads, wrong } of watches) {
    expect(wrong).toEqual([]);
    expect(reads).toBeGreaterThan(0);
  }
  expect(scenario.conflicts).toEqual([]);
  expect(await last.stop()).toEqual({ code: 0, signal: null });
}

/** Resolves once every replica has applied something that was committed after the call. */
async function progressed(timeoutMs = 60_000): Promise<void> {
  const before = bank.transfers;
  await eventually("the bank goes on", async () => {
    if (bank.transfers <= before) throw new Error("no transfer since");
  });
  const [committed] = await eventually("the primary answers", async () => {
    return await scenario.onPrimary<{ max: string }>("select max(id)::text as max from transfers");
  });
  for (const url of scenario.replicaUrls) {
    await eventually(
      "replicas go on",
      async () => {
        const [row] = await execute<{ found: boolean }>(
          url,
          "select exists (select from transfers where id = $1) as found",
          [committed?.max],
        );
        if (row?.found !== true) throw new Error(`transfer ${committed?.max ?? "?"} is not there`);
      },
      { timeoutMs },
    );
  }
}

test.each(["decoded:40", "appended:30", "applied:20", "committed:20", "acked:30"])(
  "killed at the failpoint %s",
  async (failpoint) => {
    await underLoad(async () => {
      await using run = scenario.run({ LOCKSTEP_FAILPOINT: failpoint });
      expect(await run.exited).toEqual({ code: null, signal: "SIGKILL" });
      expect(run.log[0]?.text).toContain("a failpoint is set");
      await using next = scenario.run();
      await next.waitForLog("following", { count: 2 });
      await progressed();
    });
  },
);

test("killed at 20 random moments", async () => {
  await underLoad(async () => {
    for (let round = 0; round < 20; round++) {
      await using run = scenario.run();
      // Half of them while starting, half while it flows.
      if (round % 2 === 0) await run.waitForLog("following", { count: 2 });
      await sleep(Math.random() * 900);
      run.kill("SIGKILL");
      await run.exited;
    }
  });
});

test("a replica, the primary and the broker are killed and come back", { timeout: 180_000 }, async () => {
  await underLoad(async () => {
    await using run = scenario.run();
    await run.waitForLog("following", { count: 2 });
    for (const victim of [servers[1], servers[0], broker]) {
      await progressed();
      await victim?.kill();
      await sleep(500);
      await victim?.start();
      await progressed();
    }
    expect(run.hasExited).toBe(false);
  });
});

test("what the broker has not answered for is not confirmed to the primary, and comes again (P1)", async () => {
  const walsender = "from pg_stat_replication where application_name like 'lockstep_%'";
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.expectEqual();
  broker.suspend(); // While nothing is in flight: what comes now never reaches its disk.
  await scenario.onPrimary(
    "update accounts set balance = balance - 1 where id = 1; update accounts set balance = balance + 1 where id = 2",
  );
  const [committed] = await scenario.onPrimary<{ at: string }>("select pg_current_wal_lsn()::text as at");
  const repliedAt = await eventually("the source has received it", async () => {
    const [row] = await scenario.onPrimary<{ at: number }>(
      `select extract(epoch from reply_time)::float8 as at ${walsender} and write_lsn >= '${committed?.at ?? ""}'`,
    );
    if (row === undefined) throw new Error("not yet");
    return row.at;
  });
  await eventually("it has told the primary how far it is since", async () => {
    const rows = await scenario.onPrimary(
      `select ${walsender} and extract(epoch from reply_time) > ${repliedAt} + 2`,
    );
    if (rows.length === 0) throw new Error("not yet");
  });
  await broker.kill(); // What the primary had forgotten by now would be lost.
  run.kill("SIGKILL");
  await broker.start();
  await using next = scenario.run();
  await next.waitForLog("following", { count: 2 });
  await scenario.expectEqual();
});

test("the second run of two stands by, and takes over within 10 s of the first's death", async () => {
  await underLoad(async () => {
    await using first = scenario.run();
    await first.waitForLog("following", { count: 2 });
    await using second = scenario.run();
    await second.waitForLog("standing by");
    await progressed();
    first.kill("SIGKILL");
    await second.waitForLog("following", { count: 2, timeoutMs: 10_000 });
    await progressed();
  });
});

test("a run that was stopped in its tracks is replaced, and does no harm when it wakes", async () => {
  await underLoad(async () => {
    await using first = scenario.run();
    await first.waitForLog("following", { count: 2 });
    await progressed();
    first.kill("SIGSTOP");
    await using second = scenario.run();
    await second.waitForLog("following", { count: 2, timeoutMs: 40_000 });
    await progressed();
    first.kill("SIGCONT");
    await progressed();
    await Promise.race([first.waitForLog("standing by"), first.exited]);
    expect(endOf(first)).toMatch(/standing by|publisher-fenced/);
    await progressed();
    expect(second.hasExited).toBe(false);
  });
});

function endOf(run: LockstepProcess): string {
  return run.log.map((line) => line.text).join("\n");
}

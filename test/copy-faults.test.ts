import { afterAll, beforeAll, expect, test } from "vitest";
import {
  eventually,
  execute,
  startPostgresServers,
  TcpProxy,
  type LockstepProcess,
  type PostgresServer,
} from "@lockstep/testkit";
import { drawn } from "./drawn.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* What happens to copies while they are on their way; see faults/ for everything else. */
let servers: PostgresServer[];
let proxies: TcpProxy[];
beforeAll(async () => {
  servers = await startPostgresServers(2);
  proxies = await Promise.all(servers.map(({ port }) => TcpProxy.start({ targetPort: port })));
});
afterAll(async () => {
  await Promise.all([...proxies, ...servers].map(async (each) => await each[Symbol.asyncDispose]()));
});

const server = (index: number): PostgresServer => {
  const found = servers[index];
  if (found === undefined) throw new Error(`no server ${index}`);
  return found;
};
const proxy = (index: number): TcpProxy => {
  const found = proxies[index];
  if (found === undefined) throw new Error(`no proxy ${index}`);
  return found;
};

/** A copy that takes some seconds, of a table in several ranges, by links that can be broken. */
async function copyInProgress(): Promise<{ scenario: Scenario; run: LockstepProcess; direct: string[] }> {
  const direct = await createDatabases(servers);
  const urls = direct.map((url, index) => url.replace(`:${server(index).port}/`, `:${proxy(index).port}/`));
  const extra = "snapshot: { maxBytesPerSecond: 2000000, parallel: 2 }";
  const scenario = await Scenario.create({ urls, extra });
  await execute(
    direct[0] ?? "",
    `create table items (id int primary key, filler text);
     insert into items select g, repeat('x', 400) from generate_series(1, 20000) g;
     create table small (id int primary key references items); insert into small values (1)`,
  );
  const run = scenario.run();
  await run.waitForLog("copying tables");
  await eventually("rows are on their way", async () => {
    const writing =
      "select from pg_stat_progress_copy where command = 'COPY FROM' and tuples_processed > 100";
    expect(await execute(direct[1] ?? "", writing)).not.toEqual([]);
  });
  return { scenario, run, direct };
}

/** Rows that change meanwhile arrive with the copy or behind it. */
async function expectToGoOn(scenario: Scenario, run: LockstepProcess, primary: string): Promise<void> {
  await execute(
    primary,
    "update items set filler = 'changed' where id % 100 = 0; delete from items where id = 20000",
  );
  await scenario.expectEqual({ timeoutMs: 90_000 });
  await run.waitForLog("tables are live", { timeoutMs: 60_000 });
  expect(scenario.conflicts).toEqual([]);
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  await run[Symbol.asyncDispose]();
}

test.each(drawn(["replica", "primary"]))("the %s is killed in the middle of a copy", async (which) => {
  const { scenario, run, direct } = await copyInProgress();
  const killed = server(which === "primary" ? 0 : 1);
  await killed.kill();
  await killed.start();
  await expectToGoOn(scenario, run, direct[0] ?? "");
});

test.each(drawn(["replica", "primary"]))(
  "the link to the %s is cut in the middle of a copy",
  async (which) => {
    const { scenario, run, direct } = await copyInProgress();
    const link = proxy(which === "primary" ? 0 : 1);
    link.refuse();
    await run.waitForLog("cannot be reached");
    link.accept();
    await expectToGoOn(scenario, run, direct[0] ?? "");
  },
);

test("a replica that is frozen in the middle of a copy does not keep the primary's table locked", async () => {
  const { scenario, run, direct } = await copyInProgress();
  server(1).suspend();
  const startedMs = performance.now();
  await execute(direct[0] ?? "", "alter table items add column late int default 7"); // Waits for whoever reads.
  expect(performance.now() - startedMs).toBeLessThan(13_000);
  await execute(direct[0] ?? "", "alter table items drop column late");
  server(1).resume();
  await expectToGoOn(scenario, run, direct[0] ?? "");
});

test("SIGTERM in the middle of a copy ends it within 5 s", async () => {
  const { scenario, run, direct } = await copyInProgress();
  server(1).suspend();
  const startedMs = performance.now();
  expect(await run.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  server(1).resume();
  await run[Symbol.asyncDispose]();
  await expectToGoOn(scenario, scenario.run(), direct[0] ?? "");
});

import { expect, test } from "vitest";
import { execute, openSession, sharedKafka } from "@lockstep/testkit";
import { SCALE } from "./scale.ts";
import { ownServers } from "./own-servers.ts";
import { drawn } from "./drawn.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/* Transactions that are far larger than a record, and rows that are. */
const ROWS = 100_000 * SCALE;
const MOST_RSS_BYTES = 300 * 1024 * 1024;
const TABLE = "create table items (id int primary key, label text, n int)";

const servers = ownServers(3);

async function newScenario(extra?: string): Promise<Scenario> {
  const urls = await createDatabases(servers);
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls, ...(extra ? { extra } : {}) });
  await scenario.everywhere(TABLE);
  return scenario;
}

/** Watches how many rows a replica shows until stopped: anything between none and all is torn (A3). */
async function watchCount(url: string, signal: AbortSignal): Promise<Set<number>> {
  const seen = new Set<number>();
  while (!signal.aborted) {
    const [row] = await execute<{ count: number }>(url, "select count(*)::int as count from items");
    seen.add(row?.count ?? -1);
  }
  return seen;
}

test(
  "a transaction of many pieces appears whole, in bounded memory (A3, M1)",
  { timeout: 120_000 * SCALE },
  async () => {
    const timeoutMs = 60_000 * SCALE;
    const scenario = await newScenario();
    await using run = scenario.run();
    await run.waitForLog("following", { count: 2 });
    const stop = new AbortController();
    const watches = scenario.replicaUrls.map(async (url) => await watchCount(url, stop.signal));
    await scenario.onPrimary(
      `insert into items select g, repeat('x', 100), 0 from generate_series(1, ${ROWS}) g`,
    );
    try {
      await scenario.expectEqual({ timeoutMs });
    } finally {
      stop.abort();
    }
    for (const seen of await Promise.all(watches)) expect(seen).toEqual(new Set([0, ROWS]));
    // Updates, deletes and a truncate in one transaction, right behind another.
    await scenario.onPrimary("insert into items values (-1, 'small', 0)");
    await scenario.onPrimary(`
    update items set n = id where id % 2 = 0;
    delete from items where id % 3 = 0;
    update items set id = -id where id between 1 and 20000 and id % 3 = 1 and id > 1`);
    await scenario.onPrimary("insert into items values (0, 'small', 0)");
    await scenario.expectEqual({ timeoutMs });
    expect(scenario.conflicts).toEqual([]);
    const rss = run.peakRssBytes();
    process.stdout.write(
      `large transaction: ${ROWS} rows in one; peak RSS ${Math.round(rss / 1024 / 1024)} MB\n`,
    );
    expect(rss).toBeLessThan(MOST_RSS_BYTES);
    expect(await run.stop()).toEqual({ code: 0, signal: null });
  },
);

const PIECES = ["piece-appended:5", "piece-appended:20", "piece-applied:5", "piece-applied:30"];

test.each(drawn(PIECES))(
  "killed between pieces, at %s: nothing is torn, lost or doubled",
  async (failpoint) => {
    const scenario = await newScenario();
    const killed = scenario.run({ LOCKSTEP_FAILPOINT: failpoint });
    await killed.waitForLog("following", { count: 2 });
    await scenario.onPrimary("insert into items values (-1, 'before', 0)");
    await scenario.onPrimary(
      "insert into items select g, repeat('x', 500), 0 from generate_series(1, 30000) g",
    );
    await scenario.onPrimary("insert into items values (-2, 'behind', 0)");
    expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });
    for (const url of scenario.replicaUrls) {
      const [row] = await execute<{ count: number }>(url, "select count(*)::int as count from items");
      expect([0, 1, 30_001, 30_002]).toContain(row?.count);
    }
    await using run = scenario.run();
    await scenario.expectEqual();
    expect(scenario.conflicts).toEqual([]);
    expect(run.hasExited).toBe(false);
  },
);

test("a large transaction that begins where the one before it ended is neither skipped nor doubled", async () => {
  const scenario = await newScenario();
  const run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await run.stop();
  const pairs = await commitAdjacent(scenario.primaryUrl);
  // Dies when it has appended the first piece: the topic ends exactly where the transaction's commit begins.
  const killed = scenario.run({ LOCKSTEP_FAILPOINT: `piece-appended:${pairs}` });
  expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });
  await using next = scenario.run();
  await scenario.expectEqual();
  expect(scenario.conflicts).toEqual([]);
  expect(next.hasExited).toBe(false);
});

/**
 * Commits pairs of a small and a large transaction until the large one's commit record begins right where the
 * small one's ends. Returns how many pairs that took.
 */
async function commitAdjacent(url: string): Promise<number> {
  await execute(url, "create extension if not exists pg_walinspect");
  await using small = await openSession(url);
  await using large = await openSession(url);
  for (let pair = 1; pair <= 50; pair++) {
    await small.query(`begin; insert into items values (-${pair}, 'small', 0)`);
    await large.query(`begin; insert into items select ${pair} * 10000 + g, repeat('x', 500), 0
                       from generate_series(1, 1200) g`);
    const [before] = await large.query<{ lsn: string; xid: string }>(
      "select pg_current_wal_insert_lsn()::text as lsn, pg_current_xact_id()::xid::text as xid",
    );
    await Promise.all([small.query("commit"), large.query("commit")]);
    const commits = await execute<{ xid: string; start: string; end: string }>(
      url,
      `select xid::text, start_lsn::text as start, end_lsn::text as end
         from pg_get_wal_records_info($1, pg_current_wal_flush_lsn()) where record_type like 'COMMIT%'`,
      [before?.lsn],
    );
    const [one, other] = commits;
    if (other?.xid === before?.xid && one?.end === other?.start) return pair;
  }
  throw new Error("no two commit records stood side by side");
}

test("a row larger than any message of the log arrives, and one above maxRowBytes stops the pipeline by name", async () => {
  const scenario = await newScenario("maxRowBytes: 20000000");
  const run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (1, repeat(md5('x'), 400000), 0), (2, 'small', 0)");
  await scenario.onPrimary("update items set label = repeat(md5('y'), 500000) where id = 1");
  await scenario.onPrimary("update items set n = 7 where id = 1");
  await scenario.expectEqual();
  process.stdout.write(`rows of 13 and 16 MB: peak RSS ${Math.round(run.peakRssBytes() / 1024 / 1024)} MB\n`);
  await scenario.onPrimary("insert into items values (3, repeat('z', 20000000), 0)");
  expect(await run.exited).toMatchObject({ code: 1 });
  const said = run.log.map((line) => line.text).join("\n");
  expect(said).toContain("row-too-large");
  expect(said).toContain("excluding the table helps only with later rows");
  expect(said).toContain("a row of public.items, key id=3");
});

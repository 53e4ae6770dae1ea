import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually, execute, sharedKafka, type LockstepProcess } from "@lockstep/testkit";
import { SCALE } from "./scale.ts";
import { ownServers } from "./own-servers.ts";
import { drawn } from "./drawn.ts";
import { createDatabases, Scenario } from "./scenario.ts";

/*
 * Memory follows what is on its way: not a table's rows, not how far a replica is behind (M1). Rows are so large
 * that what was kept of them would be above the bound, at a tenth of the size too.
 */
const MIB = 1024 * 1024;
const MOST_RSS_BYTES = 300 * MIB;
const ROWS = SCALE < 10 ? 400_000 : 10_000_000;
const CHANGES = SCALE < 10 ? 50_000 : 1_000_000;
const LARGE_ROW_BYTES = 64 * MIB;
/** As docs and configuration say: eight times the largest row, beside what everything else takes. */
const MOST_RSS_OF_LARGE_ROW_BYTES = 8 * LARGE_ROW_BYTES + MOST_RSS_BYTES;

const servers = ownServers(2);

/** On the embedded log, unless brokers are given. */
async function newScenario(
  options: { readonly brokers?: readonly string[]; readonly extra?: string } = {},
): Promise<{ scenario: Scenario; replica: string }> {
  const urls = await createDatabases(servers);
  const [, replica = ""] = urls;
  return { scenario: await Scenario.create({ urls, ...options }), replica };
}

/** How many rows there are, and one number over all that they hold, whatever their order. */
async function sumOf(url: string, table: string): Promise<unknown> {
  return await execute(
    url,
    `select count(*)::text as rows, sum(hashtextextended(t::text, 0)::numeric)::text as sum from ${table} t`,
  );
}

async function expectEqualSums(scenario: Scenario, table: string, timeoutMs: number): Promise<void> {
  const expected = await sumOf(scenario.primaryUrl, table);
  for (const url of scenario.replicaUrls) {
    await eventually("it is equal", async () => expect(await sumOf(url, table)).toEqual(expected), {
      timeoutMs,
      intervalMs: 1_000,
    });
  }
}

const inMb = (bytes: number): number => Math.round(bytes / MIB);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

test(
  "a snapshot of many rows takes no more memory than one of few",
  { timeout: 120_000 * SCALE },
  async () => {
    const { scenario } = await newScenario();
    await scenario.onPrimary(
      `create table items (id bigint primary key, n int, at timestamptz, label text);
     insert into items select g, g % 1000, '2024-01-01Z'::timestamptz + g * interval '1 s', repeat(md5(g::text), 8)
       from generate_series(1, ${ROWS}) g`,
    );
    await using run = scenario.run();
    const { text } = await run.waitForLog('"msg":"copied tables"', { timeoutMs: 100_000 * SCALE });
    await run.waitForLog("tables are live");
    const seconds = Number(/"seconds":([\d.]+)/.exec(text)?.[1]);
    const rss = run.peakRssBytes();
    say(`snapshot: ${ROWS} rows, ${Math.round(ROWS / seconds)} rows/s; peak RSS ${inMb(rss)} MB`);
    expect(rss).toBeLessThan(MOST_RSS_BYTES);
    await expectEqualSums(scenario, "items", 10_000 * SCALE);
    expect(run.peakRssBytes()).toBeLessThan(MOST_RSS_BYTES);
  },
);

/** The most memory of its own that a run has at any of many moments, until stopped. */
async function watchOwnMemory(run: LockstepProcess, signal: AbortSignal): Promise<number> {
  let most = run.ownRssBytes();
  for (; !signal.aborted; await sleep(100)) most = Math.max(most, run.ownRssBytes());
  return most;
}

test.each(drawn(["kafka", "embedded"]))(
  "a replica that was away for many changes is caught up in bounded memory: %s",
  { timeout: 120_000 * SCALE },
  async (log) => {
    const brokers = log === "kafka" ? { brokers: sharedKafka() } : {};
    const { scenario } = await newScenario(brokers);
    await scenario.onPrimary(
      `create table items (id bigint primary key, n int, label text);
       create procedure work(changes int) language plpgsql as $body$
       begin
         for i in 1..changes / 10 loop
           insert into items select i * 5 + g, 0, repeat(md5(i::text), 32) from generate_series(0, 4) g;
           update items set n = n + 1 where id between i * 5 - 4 and i * 5;
           commit;
         end loop;
       end $body$;
       insert into items select g, 0, '' from generate_series(1, 4) g`,
    );
    await using run = scenario.run();
    await run.waitForLog("tables are live");
    const stop = new AbortController();
    const watching = watchOwnMemory(run, stop.signal);
    await servers[1]?.stop("immediate");
    await scenario.onPrimary(`call work(${CHANGES})`);
    await run.waitForLog("replica interrupted");
    const startedMs = performance.now();
    await servers[1]?.start();
    await expectEqualSums(scenario, "items", 100_000 * SCALE);
    const seconds = (performance.now() - startedMs) / 1_000;
    stop.abort();
    const [own, peak] = [await watching, run.peakRssBytes()];
    say(
      `away for ${CHANGES} changes (${log}): caught up within ${seconds.toFixed(1)} s, server's start included;` +
        ` peak RSS ${inMb(peak)} MB, of which its own ${inMb(own)} MB`,
    );
    // The embedded log is a file that is mapped: what was read of it is resident for as long as nobody needs the memory.
    expect(log === "kafka" ? peak : own).toBeLessThan(MOST_RSS_BYTES);
    expect(scenario.conflicts).toEqual([]);
  },
);

test.each(drawn(["kafka", "embedded"]))(
  "a row of 64 MiB is copied and arrives, in memory as stated: %s",
  { timeout: 240_000 },
  async (log) => {
    const brokers = log === "kafka" ? { brokers: sharedKafka() } : {};
    const { scenario } = await newScenario({ ...brokers, extra: "maxRowBytes: 134217728" });
    const large = (id: number): string =>
      `insert into items values (${id}, repeat('0123456789abcde${id}', ${LARGE_ROW_BYTES / 16}))`;
    await scenario.onPrimary(`create table items (id int primary key, label text); ${large(1)}`);
    const peaks: number[] = [];
    {
      await using run = scenario.run();
      await run.waitForLog("tables are live");
      await expectEqualSums(scenario, "items", 60_000);
      peaks.push(run.peakRssBytes());
      await run.stop();
    }
    await using run = scenario.run();
    await run.waitForLog("following");
    await scenario.onPrimary(large(2));
    await expectEqualSums(scenario, "items", 100_000);
    peaks.push(run.peakRssBytes());
    const [copied = 0, streamed = 0] = peaks.map(inMb);
    say(`a row of 64 MiB (${log}): peak RSS ${copied} MB copied, ${streamed} MB by the stream`);
    for (const peak of peaks) expect(peak).toBeLessThan(MOST_RSS_OF_LARGE_ROW_BYTES);
    expect(scenario.conflicts).toEqual([]);
  },
);

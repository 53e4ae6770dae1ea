import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  eventually,
  openSession,
  sharedKafka,
  startPostgresServers,
  type LockstepProcess,
  type PostgresServer,
} from "@lockstep/testkit";
import { createDatabases, Scenario } from "./scenario.ts";

const MOST_IDLE_PERCENT = 1.5;
/** The server sends a word for every commit of another database. Measured: 5 to 6 %, and 28 % if each is read alone. */
const MOST_BUSY_PERCENT = 15;
/** Others on the machine can only make it look like more, so the least of some windows counts. */
const IDLE_WINDOWS_MS: readonly number[] = Array.from({ length: 6 }, () => 3_000);
const BUSY_WINDOW_MS = 4_000;
/** Behind by less is what a server writes by itself. */
const HELD_BACK_BYTES = 1024 * 1024;
const NS_A_MS = 1_000_000;

/**
 * How much of a core the process takes from now on, for so long: of each of its threads what the scheduler counts in
 * nanoseconds (`schedstat`); the ticks of proc(5) are 10 ms each, a third of a percent of a window.
 */
async function loadPercent({ pid }: LockstepProcess, windowMs: number): Promise<number> {
  const threads = `/proc/${pid}/task`;
  const cpuMs = (): number =>
    readdirSync(threads)
      .map((thread) => Number(readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ")[0]) / NS_A_MS)
      .reduce((sum, ms) => sum + ms, 0);
  const [startedMs, before] = [performance.now(), cpuMs()];
  await sleep(windowMs);
  return ((cpuMs() - before) / (performance.now() - startedMs)) * 100;
}

interface HeldBack {
  /** From what the slot was told to the end of the log. */
  readonly confirmed: number;
  /** From what the server must keep for it. */
  readonly restart: number;
}

async function heldBack(primary: PostgresServer): Promise<HeldBack> {
  await primary.query("checkpoint"); // It says which transactions run, by which a slot lets go.
  const [row] = await primary.query<HeldBack>(
    `select (pg_current_wal_lsn() - confirmed_flush_lsn)::int8::float8 as confirmed,
            (pg_current_wal_lsn() - restart_lsn)::int8::float8 as restart
       from pg_replication_slots where slot_name like 'lockstep%'`,
  );
  return row ?? { confirmed: NaN, restart: NaN };
}

async function expectNothingHeldBack(primary: PostgresServer): Promise<void> {
  await eventually("the primary may forget its log", async () => {
    const { confirmed, restart } = await heldBack(primary);
    expect(confirmed).toBeLessThan(HELD_BACK_BYTES);
    expect(restart).toBeLessThan(HELD_BACK_BYTES);
  });
}

test("with nothing to do it takes next to nothing, and holds no log back", async () => {
  const servers = await startPostgresServers(3);
  await using _servers = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(servers.map((s) => s[Symbol.asyncDispose]()))),
  };
  const [primary] = servers;
  if (primary === undefined) return expect.unreachable();
  const scenario = await Scenario.create({ brokers: sharedKafka(), urls: await createDatabases(servers) });
  await scenario.everywhere("create table items (id int primary key)");
  await using run = scenario.run();
  await run.waitForLog("following", { count: 2 });
  await scenario.onPrimary("insert into items values (1)");
  await scenario.expectEqual();
  await sleep(2_000); // What a start has to do is done.
  const windows: number[] = [];
  for (const windowMs of IDLE_WINDOWS_MS) windows.push(await loadPercent(run, windowMs));
  const idle = Math.min(...windows);
  await expectNothingHeldBack(primary);

  await primary.query("create database other");
  await using other = await openSession(primary.url("other"));
  await other.query("create table busy (id int)");
  await other.query(
    `create procedure work() language plpgsql as $$ declare until timestamptz := clock_timestamp() + interval '${BUSY_WINDOW_MS} ms';
     begin while clock_timestamp() < until loop insert into busy select generate_series(1, 10); commit; end loop; end $$`,
  );
  const [before] = await primary.query<{ at: string }>("select pg_current_wal_lsn()::text as at");
  const working = other.query("call work()");
  const busy = await loadPercent(run, BUSY_WINDOW_MS);
  await working;
  const [written] = await primary.query<{ mb: number }>(
    `select round((pg_current_wal_lsn() - $1) / 1048576)::int as mb`,
    [before?.at],
  );
  await expectNothingHeldBack(primary);
  process.stdout.write(
    `idle: ${idle.toFixed(2)} % of a core; another database writes ${written?.mb ?? 0} MB in ${BUSY_WINDOW_MS / 1_000} s: ${busy.toFixed(2)} %\n`,
  );
  expect(idle).toBeLessThan(MOST_IDLE_PERCENT);
  expect(busy).toBeLessThan(MOST_BUSY_PERCENT);
  await scenario.onPrimary("insert into items values (2)");
  await scenario.expectEqual();
});

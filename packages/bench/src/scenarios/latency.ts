import { setTimeout as sleep } from "node:timers/promises";
import { Marker, MARKERS } from "../marker.ts";
import { Meter, type Metered } from "../meter.ts";
import type { Measured, Scenario, Turn } from "./scenario.ts";

const RATES = [100, 1_000] as const;
const CONNECTIONS = 4;
const WARM_UP_SECONDS = 1;
/** A marker each; between them the bench takes no processor time from what it measures. */
const MARK_EVERY_MS = 50;
const MARKS_PER_SECOND = 1_000 / MARK_EVERY_MS;

/** Inserts at an even pace, inside the server; sleeps are whole milliseconds there, so it catches up by itself. */
const PROCEDURE = `
  create procedure commits(first bigint, count int, per_second float) language plpgsql as $body$
  declare began timestamptz := clock_timestamp(); early float;
  begin
    for i in 0..count - 1 loop
      insert into entries values (first + i, clock_timestamp(), 'an entry of some length, as they are');
      commit;
      early := (i + 1) / per_second - extract(epoch from clock_timestamp() - began);
      if early > 0 then perform pg_sleep(early); end if;
    end loop;
  end $body$;`;

/**
 * A steady load of commits of one row, while replicas follow. A marker among them is committed every 50 ms, and each
 * replica is asked for it without a pause until it shows it. `rows` are those at the highest rate.
 */
export function latencyOf({ entries, procedure }: SteadyLoad): Scenario {
  return {
    rows: 10_000,
    tables: `${entries} ${MARKERS}`,
    createsTables: false,
    measure: async (turn) => await measure(procedure, turn),
  };
}

export const latency: Scenario = latencyOf({
  entries: "create table entries (id bigint primary key, at timestamptz not null, label text);",
  procedure: PROCEDURE,
});

interface SteadyLoad {
  readonly entries: string;
  /** `commits(first, count, per_second)`. */
  readonly procedure: string;
}

async function measure(procedure: string, turn: Turn): Promise<Measured> {
  const { side, primaryUrl, replicaUrls, rows, servers } = turn;
  await side.start();
  await side.following();
  await servers.execute(primaryUrl, procedure);
  await servers.checkpoint();
  await using marker = await Marker.connect(servers, primaryUrl, replicaUrls);
  const seconds = rows / Math.max(...RATES);
  const lagsMs = new Map<number, readonly number[]>();
  let last: { metered: Metered; rows: number } | null = null;
  for (const rate of RATES) {
    const commits = (rate - MARKS_PER_SECOND) * (WARM_UP_SECONDS + seconds);
    const load = commitEvenly(turn, rate, Math.round(commits / CONNECTIONS));
    await Promise.race([load, sleep(WARM_UP_SECONDS * 1_000)]);
    const before = await commitsSoFar(turn);
    const meter = new Meter(servers, side);
    const lags = await watch(marker, turn, seconds);
    const metered = meter.stop();
    const committed = (await commitsSoFar(turn)) - before;
    await load;
    lagsMs.set(rate, lags);
    last = { metered, rows: committed };
  }
  if (last === null) throw new Error("no rate was measured");
  await marker.commit();
  await marker.shown({ pollMs: 10, check: () => side.check() });
  return { ...last.metered, rows: last.rows, peakRssMb: side.peakRssMb(), lagsMs };
}

async function commitEvenly({ servers, primaryUrl }: Turn, rate: number, count: number): Promise<void> {
  const perSecond = (rate - MARKS_PER_SECOND) / CONNECTIONS;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      const first = (rate * CONNECTIONS + connection) * 1_000_000;
      await servers.execute(primaryUrl, `call commits(${first}, ${count}, ${perSecond})`);
    }),
  );
}

/** A busy primary may not keep the pace. */
async function commitsSoFar({ servers, primaryUrl }: Turn): Promise<number> {
  const sql = "(select count(*) from entries) + (select count(*) from markers)";
  return await servers.count(primaryUrl, sql);
}

/** Marks and looks for so long; resolves with how long each marker took to each replica. */
async function watch(marker: Marker, { side }: Turn, seconds: number): Promise<number[]> {
  const lags: number[] = [];
  const untilMs = performance.now() + seconds * 1_000;
  for (let nextMs = performance.now(); nextMs < untilMs;) {
    const committedMs = await marker.commit();
    const shownMs = await marker.shown({ pollMs: 0, check: () => side.check() });
    lags.push(...shownMs.map((at) => at - committedMs));
    nextMs += MARK_EVERY_MS;
    await sleep(Math.max(0, nextMs - performance.now()));
  }
  return lags;
}

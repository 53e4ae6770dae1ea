/**
 * How fast a replica's first copy is, against the initial synchronization of a subscription, PostgreSQL's own way:
 * `npm run build && node scripts/bench-copy.mjs [rows] [rounds]`, on Linux with nothing else running. Both copy the
 * same table between the same two servers, in turns; medians are printed. Ours begins without the table, theirs with
 * the empty table, which a subscription needs. Both servers have fsync on; ours commits with synchronous_commit = on,
 * the subscription with off, its default: of a copy that is a few commits.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LockstepProcess } from "../packages/testkit/dist/lockstep-process.js";
import { startPostgresServers } from "../packages/testkit/dist/postgres-server.js";

const ROWS = Number(process.argv[2] ?? 1_000_000);
const ROUNDS = Number(process.argv[3] ?? 3);
/** Rows of about 120 bytes, headers included. */
const TABLE = "create table items (id bigint primary key, n int, at timestamptz, label text)";
const FILL = `insert into items select g, g % 1000, '2024-01-01Z'::timestamptz + g * interval '1 s', md5(g::text) || md5(g::text)
  from generate_series(1, ${ROWS}) g`;
const CLOCK_TICKS_PER_SECOND = 100;
const POLL_MS = 20;

const [primary, replica] = await startPostgresServers(2, { settings: { shared_buffers: "512MB" } });
try {
  await primary.query(TABLE);
  await primary.query(FILL);
  await primary.query("vacuum analyze items");
  const results = { ours: [], theirs: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const turns = [
      async () => results.ours.push(await measure("lockstep", round, copyOurs)),
      async () => results.theirs.push(await measure("subscription", round, copyTheirs)),
    ];
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  const [ours, theirs] = [medianRate(results.ours), medianRate(results.theirs)];
  say(`median: lockstep ${ours} rows/s, subscription ${theirs} rows/s, ratio ${(ours / theirs).toFixed(2)}`);
} finally {
  await Promise.all([primary, replica].map(async (server) => await server[Symbol.asyncDispose]()));
}

/** Into a fresh database; the checkpoint is there so that no round writes what the one before it left. */
async function measure(name, round, copy) {
  const database = `${name}_${round}`;
  await replica.query(`create database ${database}`);
  await Promise.all([primary, replica].map(async (server) => await server.query("checkpoint")));
  const { seconds, note } = await copy(database);
  const [{ count }] = await replica.query("select count(*)::int as count from items", [], database);
  if (count !== ROWS) throw new Error(`${name} has copied ${count} rows of ${ROWS}`);
  await replica.query(`drop database ${database} with (force)`);
  say(`${name}: ${Math.round(ROWS / seconds)} rows/s, ${seconds.toFixed(1)} s${note}`);
  return seconds;
}

/** From the process's first word to the table's being live, keys and statistics included. */
async function copyOurs(database) {
  const folder = await mkdtemp(join(tmpdir(), "lockstep-bench-"));
  const configPath = join(folder, "lockstep.yaml");
  await writeFile(
    configPath,
    `pipeline: ${database}
log: { embedded: { path: log } }
primary: { name: main, engine: postgres, url: "${primary.url()}" }
replicas: [{ name: replica, engine: postgres, url: "${replica.url(database)}" }]
tables: { include: ["public.items"] }
http: false
`,
  );
  const run = new LockstepProcess(["run", "-c", configPath, "--log-format", "json"]);
  try {
    await run.waitForLog("lockstep is running");
    const startedMs = performance.now();
    const copied = await run.waitForLog('"msg":"copied tables"', { timeoutMs: 3_600_000 });
    await run.waitForLog("tables are live");
    const seconds = (performance.now() - startedMs) / 1_000;
    const cpu = cpuSeconds(run.pid).toFixed(1);
    const copySeconds = /"seconds":([\d.]+)/.exec(copied.text)?.[1];
    return { seconds, note: `, the copy itself ${copySeconds} s; lockstep's own processor time ${cpu} s` };
  } finally {
    await run.stop();
    await primary.query(`select pg_drop_replication_slot('lockstep_${database}')`);
    await primary.query(`drop publication lockstep_${database}`);
  }
}

/** From the subscription's creation until its table is synchronized. */
async function copyTheirs(database) {
  await replica.query(TABLE, [], database);
  await primary.query("create publication bench for table items");
  await primary.query("select pg_create_logical_replication_slot('bench', 'pgoutput')");
  const startedMs = performance.now();
  await replica.query(
    `create subscription bench connection 'host=127.0.0.1 port=${primary.port} user=postgres dbname=postgres'
       publication bench with (create_slot = false)`,
    [],
    database,
  );
  const states = "select srsubstate as state from pg_subscription_rel";
  // `f`, `s` and `r`: all rows are there and committed; what comes then is the subscription's catching up.
  for (let state = "i"; !"fsr".includes(state); await sleep(POLL_MS))
    state = (await replica.query(states, [], database))[0]?.state ?? "i";
  const seconds = (performance.now() - startedMs) / 1_000;
  await replica.query("drop subscription bench", [], database);
  await primary.query("drop publication bench");
  return { seconds, note: "" };
}

/** User and system time of a process, from `/proc`. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}

function medianRate(seconds) {
  const sorted = seconds.toSorted((left, right) => left - right);
  return Math.round(ROWS / sorted[Math.floor(sorted.length / 2)]);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

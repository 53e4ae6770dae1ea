import type { BenchServers } from "./bench-servers.ts";
import { durabilityOf, type EngineName } from "./durability.ts";
import { LockstepSide } from "./lockstep-side.ts";
import { MYSQL_SCENARIOS } from "./mysql/scenarios.ts";
import { MysqlServers } from "./mysql/servers.ts";
import { summary, type Taken } from "./summary.ts";
import { warmBroker } from "./warm-broker.ts";
import type { BenchResult, SideName } from "./result.ts";
import { bigTransaction, catchUpBulk } from "./scenarios/items.ts";
import { latency } from "./scenarios/latency.ts";
import type { Measured, Scenario, ScenarioName, Turn } from "./scenarios/scenario.ts";
import { snapshot } from "./scenarios/snapshot.ts";
import { catchUpSmall } from "./scenarios/tpc-b.ts";
import { Servers, type LogKind } from "./servers.ts";

type Scenarios = Readonly<Record<ScenarioName, Scenario>>;

const POSTGRES_SCENARIOS: Scenarios = {
  "catch-up-small": catchUpSmall,
  "catch-up-bulk": catchUpBulk,
  "big-transaction": bigTransaction,
  latency,
  snapshot,
};

/** Fewer measure nothing anyway. */
const MIN_WARMED_ROWS = 5_000;

interface Engine {
  readonly label: string;
  readonly scenarios: Scenarios;
  start(replicas: number, log: LogKind): Promise<BenchServers>;
}

const ENGINES: Readonly<Record<EngineName, Engine>> = {
  postgres: {
    label: "PostgreSQL",
    scenarios: POSTGRES_SCENARIOS,
    start: async (replicas, log) => await Servers.start(replicas, log),
  },
  mysql: {
    label: "MySQL",
    scenarios: MYSQL_SCENARIOS,
    start: async (replicas, log) => await MysqlServers.start("mysql", replicas, log),
  },
  mariadb: {
    label: "MariaDB",
    scenarios: MYSQL_SCENARIOS,
    start: async (replicas, log) => await MysqlServers.start("mariadb", replicas, log),
  },
};

export interface BenchOptions {
  readonly scenario: ScenarioName;
  readonly engine: EngineName;
  readonly log: LogKind;
  readonly replicas: number;
  readonly runs: number;
  /** Row changes; the scenario's own number by default. */
  readonly rows?: number;
  /** Branches of TPC-B. */
  readonly scale: number;
}

/** Both sides on the same servers, in turns, each on databases of its own. `say` takes a line for people. */
export async function bench(options: BenchOptions, say: (line: string) => void): Promise<BenchResult> {
  const { scenario, engine, log, replicas, runs } = options;
  const { label } = ENGINES[engine];
  await using servers = await ENGINES[engine].start(replicas, log);
  const { cores, node, [engine]: version, kafka } = servers.machine;
  say(
    `${scenario}: ${cores} cores, ${label} ${version}, Node.js ${node}, ${kafka === null ? "embedded log" : `Kafka ${kafka}`}`,
  );
  const durability = durabilityOf(engine, log);
  say(`  ours: ${durability.ours}`);
  say(`  native: ${durability.native}`);
  const rows = options.rows ?? ENGINES[engine].scenarios[scenario].rows;
  if (rows >= MIN_WARMED_ROWS) await warmBroker(servers.broker, say);
  const taken: Taken[] = [];
  for (let run = 0; run < runs; run++) {
    const order: readonly SideName[] = run % 2 === 0 ? ["ours", "native"] : ["native", "ours"];
    for (const name of order) {
      const measured = await takeTurn(servers, options, { name, database: `bench_${run}_${name}` });
      taken.push({ side: name, measured });
      say(lineOf(name, measured));
    }
  }
  return summary(options, servers.machine, taken);
}

async function takeTurn(
  servers: BenchServers,
  { scenario: scenarioName, engine, rows, scale }: BenchOptions,
  { name, database }: { readonly name: SideName; readonly database: string },
): Promise<Measured> {
  const scenario = ENGINES[engine].scenarios[scenarioName];
  await servers.createDatabases(database);
  const primaryUrl = servers.primary.url(database);
  const replicaUrls = servers.replicas.map((server) => server.url(database));
  const withTables = scenario.createsTables && name === "ours" ? [primaryUrl] : [primaryUrl, ...replicaUrls];
  await Promise.all(withTables.map(async (url) => await servers.execute(url, scenario.tables)));
  const measured = await measure(servers, scenario, { rows: rows ?? scenario.rows, scale, name, database });
  for (const url of replicaUrls) {
    const different = await servers.differing(primaryUrl, url);
    if (different.length > 0) throw new Error(`${name}: a replica differs: ${different.join(", ")}`);
  }
  await servers.dropDatabases(database);
  return measured;
}

interface OneTurn {
  readonly rows: number;
  readonly scale: number;
  readonly name: SideName;
  readonly database: string;
}

/** The side is gone when it resolves, so that nothing of it takes time from the other. */
async function measure(
  servers: BenchServers,
  scenario: Scenario,
  { name, database, ...turn }: OneTurn,
): Promise<Measured> {
  await using side =
    name === "ours" ? await LockstepSide.create(servers, database) : await servers.nativeSide(database);
  const urls: Pick<Turn, "primaryUrl" | "replicaUrls"> = {
    primaryUrl: servers.primary.url(database),
    replicaUrls: servers.replicas.map((server) => server.url(database)),
  };
  return await scenario.measure({ servers, side, ...turn, ...urls });
}

function lineOf(name: SideName, measured: Measured): string {
  const { seconds, rows, cpuSeconds, cpuParts, otherCpuSeconds, load, peakRssMb } = measured;
  const rate = Math.round(rows / seconds).toLocaleString("en");
  const parts = Object.entries(cpuParts).map(([part, value]) => `${part} ${value?.toFixed(1) ?? "unknown"}`);
  const cpu = `processor time ${cpuSeconds?.toFixed(1) ?? "unknown"} s (${parts.join(", ")})`;
  const rss = peakRssMb === null ? "" : `, peak RSS ${peakRssMb} MB`;
  const other = `load before ${load.toFixed(1)}, everything else ${otherCpuSeconds?.toFixed(1) ?? "unknown"} s`;
  return `  ${name.padEnd(6)} ${seconds.toFixed(2)} s, ${rate} rows/s; ${cpu}${rss}; ${other}`;
}

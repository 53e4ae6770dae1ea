import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { archiveKafkaClasses } from "./kafka-archive.ts";
import { startKafka } from "./kafka-broker.ts";
import { kafkaRuntime } from "./kafka-runtime.ts";
import { neededServers } from "./needed-servers.ts";
import { shareTemplate } from "./postgres-data.ts";
import { startPostgresServers } from "./postgres-server.ts";
import { provideMysql } from "./provide-mysql.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SHARED_POSTGRES_SERVERS = 2;

interface Shared extends AsyncDisposable {
  readonly label: string;
}

/** Builds what tests spawn, and starts the servers that the run's tests share, all at once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const needed = neededServers(process.argv.slice(2));
  const startedMs = performance.now();
  if (needed.product) {
    await run("npx", ["tsc", "-b"], { cwd: ROOT });
    await run(process.execPath, ["packages/lockstep/bundle.mjs"], { cwd: ROOT });
  }
  const [shared] = await Promise.all([
    Promise.all([
      ...(needed.product ? [provideKafka(project), providePostgres(project)] : []),
      ...(needed.mysql ? [provideMysql(project)] : []),
    ]),
    needed.product ? archiveKafkaClasses() : null,
  ]);
  if (needed.product) await shareTemplate();
  if (shared.length > 0) {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    const labels = shared.map(({ label }) => label).join(", ");
    process.stdout.write(`servers: ${labels}, Node ${process.version}; ready in ${seconds} s\n`);
  }
  return async () => {
    for (const server of shared) await server[Symbol.asyncDispose]();
  };
}

async function provideKafka(project: TestProject): Promise<Shared> {
  const given = process.env["LOCKSTEP_TEST_KAFKA_BROKERS"];
  if (given !== undefined && given !== "") {
    project.provide("kafkaBrokers", given.split(","));
    return { label: `Kafka at ${given}`, [Symbol.asyncDispose]: async () => undefined };
  }
  const broker = await startKafka({ isMeasured: true });
  project.provide("kafkaBrokers", broker.brokers);
  return {
    label: (await kafkaRuntime()).label,
    [Symbol.asyncDispose]: async () => await broker[Symbol.asyncDispose](),
  };
}

async function providePostgres(project: TestProject): Promise<Shared> {
  const given = process.env["LOCKSTEP_TEST_POSTGRES_URL"];
  if (given !== undefined && given !== "") {
    const url = given.replace(/\/+$/, "");
    project.provide(
      "postgresUrls",
      Array.from({ length: SHARED_POSTGRES_SERVERS }, () => url),
    );
    return {
      label: "PostgreSQL from LOCKSTEP_TEST_POSTGRES_URL",
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const servers = await startPostgresServers(SHARED_POSTGRES_SERVERS);
  project.provide(
    "postgresUrls",
    servers.map((server) => server.url("").replace(/\/$/, "")),
  );
  const [version] = (await servers[0]?.query<{ server_version: string }>("show server_version")) ?? [];
  return {
    label: `PostgreSQL ${version?.server_version ?? "unknown"}`,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map(async (server) => await server[Symbol.asyncDispose]()));
    },
  };
}

import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { Client } from "pg";

declare module "vitest" {
  interface ProvidedContext {
    /** host:port of the run's broker. */
    readonly kafkaBrokers: readonly string[];
    /** URLs of the run's PostgreSQL servers, without a database. */
    readonly postgresUrls: readonly string[];
  }
}

/** The broker that every test of a run shares: a topic per test. */
export function sharedKafka(): readonly string[] {
  return inject("kafkaBrokers");
}

/** A name nobody else uses, fit for databases, topics and pipelines. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString("hex")}`;
}

/** An empty database of a test's own on one of the servers that the run shares. */
export async function freshDatabase(server = 0, prefix = "test"): Promise<string> {
  const url = inject("postgresUrls")[server];
  if (url === undefined) throw new Error(`the run has no shared PostgreSQL server ${server}`);
  const name = uniqueName(prefix);
  const client = new Client({ connectionString: `${url}/postgres` });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  return `${url}/${name}`;
}

/** Runs SQL on a connection of its own. */
export async function execute<R extends object = Record<string, unknown>>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined); // A server that is killed shows at the next query.
  await client.connect();
  try {
    return (await client.query<R>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}

import { expect } from "vitest";
import type { TableName } from "@lockstep/core";
import { execute, freshDatabase, silentLogger } from "@lockstep/testkit";
import type { Client } from "pg";
import { connect } from "../connection.ts";
import { asCarried, catalogOf } from "./catalog.fixture.ts";
import { completeTable } from "./complete-table.ts";
import { createMissing } from "./create-missing.ts";
import type { PostgresSchema } from "./definition.ts";
import { completeForeignKeys } from "./foreign-keys.ts";
import { EXCLUDED, PRIMARY } from "./primary.fixture.ts";
import { readSchema } from "./read-schema.ts";
import { listTables } from "./tables.ts";

const never = (): AbortSignal => new AbortController().signal;

/** A session as the product has it. */
export async function withClient<T>(
  url: string,
  work: (client: Client) => Promise<T>,
  signal: AbortSignal = never(),
): Promise<T> {
  await using connected = await connect({ url, pipeline: "schema" }, signal);
  return await work(connected.client);
}

export interface Read {
  readonly schema: PostgresSchema;
  readonly tables: readonly TableName[];
}

/** What every table of a database is, as a snapshot reads it: inside a transaction that does nothing else. */
export async function readFrom(url: string): Promise<Read> {
  return await withClient(url, async (client) => {
    await client.query("begin isolation level repeatable read read only");
    const { tables, refused } = await listTables(client, { include: ["*.*"], exclude: EXCLUDED });
    expect(refused).toEqual([]);
    const schema = await readSchema(client, tables);
    const { rows } = await client.query("show transaction_read_only");
    expect(rows).toEqual([{ transaction_read_only: "on" }]); // It is still the caller's transaction.
    await client.query("commit");
    return { schema, tables };
  });
}

export async function completeAll(client: Client, { schema, tables }: Read): Promise<void> {
  for (const table of tables) await completeTable(client, schema, table);
  await completeForeignKeys(client, schema, tables, silentLogger);
}

/** Everything at once; returns what `createMissing` created. */
export async function createOn(url: string, read: Read): Promise<readonly TableName[]> {
  return await withClient(url, async (client) => {
    const created = await createMissing(client, read.schema, read.tables);
    await completeAll(client, read);
    return created;
  });
}

/** A primary with one of everything, and an empty replica on another server. */
export async function freshPair(sql: string = PRIMARY): Promise<readonly [primary: string, replica: string]> {
  const pair = [await freshDatabase(0), await freshDatabase(1)] as const;
  await execute(pair[0], sql);
  return pair;
}

export async function expectCarried(primary: string, replica: string): Promise<void> {
  const expected = asCarried(await catalogOf(primary, EXCLUDED));
  const actual = await catalogOf(replica, EXCLUDED);
  expect(Object.entries(expected).filter(([, rows]) => rows.length === 0)).toEqual([]);
  expect(actual).toEqual(expected);
}

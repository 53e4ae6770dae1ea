import { tableKey, tableLabel, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import type { OwnedSequence, PostgresSchema, SchemaObject, TableDefinition } from "./definition.ts";
import { ensureObject } from "./ensure-object.ts";
import { readAbilities, type ServerAbilities } from "./server-abilities.ts";
import { define, inTransaction } from "./statement.ts";
import { createTable } from "./table-statements.ts";
import { unitsOf, type Unit } from "./unit.ts";

/**
 * Creates on a replica those of `tables` that are absent there, each in one transaction with its partitions, and
 * what they need that is absent: no keys, constraints and indexes yet, so that a copy is quick. What exists is
 * left as it is, whatever it looks like. Returns the tables that it created. May be killed at any time and run
 * again: then it returns what that run created; `onCreated` runs in the transaction that creates a table.
 */
export async function createMissing(
  client: Client,
  schema: PostgresSchema,
  tables: readonly TableName[],
  onCreated: (table: TableName) => Promise<void> = async () => await Promise.resolve(),
): Promise<readonly TableName[]> {
  const absent = await findAbsent(client, tables);
  const units = unitsOf(schema, absent);
  if (units.length === 0) return [];
  const server = await readAbilities(client);
  const needed = new Set(units.flatMap(({ top }) => top.needs));
  const steps: readonly Step[] = [
    ...schema.objects
      .filter(({ order }) => needed.has(order))
      .map((object) => ({ order: object.order, object })),
    ...units.map((unit) => ({ order: unit.top.order, unit })),
  ];
  const created: TableName[] = [];
  for (const step of steps.toSorted((left, right) => left.order - right.order)) {
    if ("object" in step) await ensureObject(client, step.object);
    // What came before may have brought it along: an extension, another run.
    else if ((await findAbsent(client, [step.unit.top])).length > 0) {
      await createUnit(client, step.unit, server, onCreated);
      created.push({ schema: step.unit.top.schema, name: step.unit.top.name });
    }
  }
  return created;
}

type Step =
  { readonly order: number; readonly object: SchemaObject } | { readonly order: number; readonly unit: Unit };

const FIND_ABSENT = `
  select g.schema, g.name from unnest($1::text[], $2::text[]) with ordinality as g (schema, name, at)
   where not exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                      where n.nspname = g.schema and c.relname = g.name)
   order by g.at`;

/** Those of `relations` that the server does not have. */
async function findAbsent(client: Client, relations: readonly TableName[]): Promise<readonly TableName[]> {
  const schemas = relations.map(({ schema }) => schema);
  const names = relations.map(({ name }) => name);
  return (await client.query<TableName>(FIND_ABSENT, [schemas, names])).rows;
}

async function createUnit(
  client: Client,
  { top, members }: Unit,
  server: ServerAbilities,
  onCreated: (table: TableName) => Promise<void>,
): Promise<void> {
  await inTransaction(client, async () => {
    for (const table of members) await createOne(client, table, server);
    await onCreated(top);
  });
}

async function createOne(client: Client, table: TableDefinition, server: ServerAbilities): Promise<void> {
  const what = `table ${tableLabel(table)}`;
  const absent = new Set((await findAbsent(client, table.sequences)).map(tableKey));
  const sequences = table.sequences.filter((sequence) => absent.has(tableKey(sequence)));
  for (const sequence of sequences) {
    await define(client, sequence.create, { what: `sequence ${tableLabel(sequence)}` });
  }
  for (const statement of createTable(table, server)) await define(client, statement, { what });
  for (const sequence of sequences) await define(client, ownedBy(table, sequence), { what });
}

function ownedBy(table: TableName, sequence: OwnedSequence): string {
  return `alter sequence ${quoteTable(sequence)} owned by ${quoteTable(table)}.${quoteIdentifier(sequence.column)}`;
}

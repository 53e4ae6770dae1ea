import { tableKey, type CommonTable, type SchemaDefinition, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier } from "../connection.ts";
import type { PostgresSchema } from "./definition.ts";
import { convertTable } from "./from-common.ts";
import { readCommon } from "./read-common.ts";
import { readSchema } from "./read-schema.ts";
import { readSequences, type NumberedColumn, type SequenceValue } from "./sequences.ts";

/** What is carried from a primary to a replica: definitions, and where sequences are. */
export interface CarriedSchema extends PostgresSchema, SchemaDefinition {
  readonly dialect: "postgres";
  readonly sequences: readonly SequenceValue[];
}

/** Definitions of one moment; then sequences, each by itself, since reading one locks it to a transaction's end (H1). */
export async function readCarriedSchema(
  client: Client,
  tables: readonly TableName[],
): Promise<CarriedSchema> {
  await client.query("begin isolation level repeatable read read only");
  const schema = await readSchema(client, tables);
  const common = await readCommon(client, tables);
  await client.query("commit");
  return { ...schema, common, sequences: await readSequences(client, tables) };
}

/** What a replica is made from. */
export interface ReplicaSchema extends CarriedSchema {
  /** Columns whose numbers go on after the highest: their primary's engine does not say where it stands. */
  readonly numbered: readonly NumberedColumn[];
  /** By `tableKey`: why a table cannot be made. */
  readonly refused: ReadonlyMap<string, string>;
}

/** The same, as a sink gets it: of another engine, its common words. */
export function replicaSchema(schema: SchemaDefinition): ReplicaSchema {
  return isCarried(schema) ? { ...schema, numbered: [], refused: new Map() } : fromCommon(schema.common);
}

function fromCommon(common: readonly CommonTable[]): ReplicaSchema {
  const schemas = [...new Set(common.map(({ schema }) => schema))];
  const converted = common.map((table, index) =>
    convertTable(table, common, { order: schemas.length + index, needs: [schemas.indexOf(table.schema)] }),
  );
  return {
    dialect: "postgres",
    common,
    objects: schemas.map((name, order) => ({
      kind: "schema",
      names: [name],
      arguments: [],
      label: `schema ${name}`,
      order,
      create: [`create schema ${quoteIdentifier(name)}`],
    })),
    tables: converted.flatMap(({ table, refused }) => (refused === null ? [table] : [])),
    sequences: [],
    numbered: converted.flatMap(({ table, numbered }) =>
      numbered.map((column) => ({ table: { schema: table.schema, name: table.name }, column })),
    ),
    refused: new Map(
      converted.flatMap(({ table, refused }) => (refused === null ? [] : [[tableKey(table), refused]])),
    ),
  };
}

function isCarried(schema: SchemaDefinition): schema is CarriedSchema {
  return schema.dialect === "postgres" && "sequences" in schema && "objects" in schema && "tables" in schema;
}

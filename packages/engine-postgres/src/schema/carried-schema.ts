import type { SchemaDefinition, TableName } from "@lockstep/core";
import type { Client } from "pg";
import type { PostgresSchema } from "./definition.ts";
import { readCommon } from "./read-common.ts";
import { readSchema } from "./read-schema.ts";
import { readSequences, type SequenceValue } from "./sequences.ts";

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

/** The same, as a sink gets it. */
export function carriedSchema(schema: SchemaDefinition): CarriedSchema {
  if (isCarried(schema)) return schema;
  throw new TypeError(`definitions in the words of ${schema.dialect} are not understood`);
}

function isCarried(schema: SchemaDefinition): schema is CarriedSchema {
  return schema.dialect === "postgres" && "sequences" in schema && "objects" in schema && "tables" in schema;
}

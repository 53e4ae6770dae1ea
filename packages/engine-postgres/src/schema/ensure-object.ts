import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";
import { sqlStateOf } from "../connection.ts";
import type { SchemaObject } from "./definition.ts";
import { createByHand, define, explain, inTransaction } from "./statement.ts";

/** Undefined object, function, table, schema. */
const UNDEFINED = /^(?:42704|42883|42P01|3F000)$/;

/** Creates what the replica does not have; what is there stays as it is. */
export async function ensureObject(client: Client, object: SchemaObject): Promise<void> {
  if (await exists(client, object)) return;
  const { label: what, create } = object;
  if (create.length === 0) {
    throw new ReplicationError(
      "schema-mismatch",
      `${what} is not on the replica, and cannot be carried over`,
      {
        fix: createByHand(what),
        fields: { object: what },
      },
    );
  }
  await inTransaction(client, async () => {
    await client.query("set local check_function_bodies = off");
    for (const statement of create) await define(client, statement, { what, ...fixFor(object) });
  });
}

async function exists(
  client: Client,
  { kind, names, arguments: args, label }: SchemaObject,
): Promise<boolean> {
  try {
    await client.query("select pg_get_object_address($1, $2, $3)", [kind, names, args]);
    return true;
  } catch (error) {
    if (UNDEFINED.test(sqlStateOf(error) ?? "")) return false;
    throw explain(error, { what: label });
  }
}

function fixFor({ kind, names }: SchemaObject): { readonly fix?: string } {
  if (kind !== "extension") return {};
  return {
    fix: `install the extension ${names.join(".")} on the replica's server, as it is on the primary's`,
  };
}

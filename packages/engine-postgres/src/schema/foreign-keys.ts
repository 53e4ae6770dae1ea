import { ReplicationError, tableLabel, type Logger, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import type { PostgresSchema } from "./definition.ts";
import { readAbilities, VERSION_18 } from "./server-abilities.ts";
import { define } from "./statement.ts";
import { unitsOf } from "./unit.ts";

interface ForeignKey {
  readonly table: TableName;
  readonly name: string;
  readonly definition: string;
  readonly references: TableName;
}

/**
 * Gives tables that `createMissing` created their foreign keys, once all tables are consistent with each other.
 * One to a table that the replica does not have is left out, by name in the log. What is there is left as it
 * is. May be killed at any time and run again.
 */
export async function completeForeignKeys(
  client: Client,
  schema: PostgresSchema,
  tables: readonly TableName[],
  logger: Logger,
): Promise<void> {
  const { version } = await readAbilities(client);
  const keys = foreignKeysOf(schema, tables, version);
  const states = await readStates(client, keys);
  for (const [index, { table, name, definition, references }] of keys.entries()) {
    const state = states[index];
    if (state === "absent") {
      const what = `foreign key ${name} of table ${tableLabel(table)}`;
      const statement = `alter table ${quoteTable(table)} add constraint ${quoteIdentifier(name)} ${definition}`;
      try {
        await define(client, statement, { what });
      } catch (error) {
        const why = whyLeftOut(error);
        if (why === null) throw error;
        logger.warn(
          { table: tableLabel(table), constraint: name, fix: statement },
          `a foreign key is left out: ${why}`,
        );
      }
    } else if (state === "without target") {
      logger.warn(
        { table: tableLabel(table), constraint: name, references: tableLabel(references) },
        "a foreign key is left out: the replica does not have the table that it references",
      );
    }
  }
}

/** Null: for no reason of its own. */
function whyLeftOut(error: unknown): string | null {
  const state = error instanceof ReplicationError ? error.fields["sqlState"] : null;
  switch (state) {
    case "23503": // The primary has got it since, and what made it hold is still to be applied.
      return "rows of the replica do not satisfy it yet";
    case "42830":
    case "42804":
    case "42703": // Other engines have them, and so may a table that was there before.
      return "the table that it references has no such key";
    default:
      return null;
  }
}

function foreignKeysOf(
  schema: PostgresSchema,
  tables: readonly TableName[],
  version: number,
): readonly ForeignKey[] {
  const members = unitsOf(schema, tables).flatMap((unit) => unit.members);
  return members.flatMap(({ schema: inSchema, name: tableName, constraints }) =>
    constraints.flatMap(({ kind, name, definition, references, isEnforced }) => {
      if (kind !== "foreign" || references === null || (!isEnforced && version < VERSION_18)) return [];
      return { table: { schema: inSchema, name: tableName }, name, definition, references };
    }),
  );
}

type State = "present" | "absent" | "without target";

/** `$1`, `$2`, `$3`: tables and their keys; `$4`, `$5`: what they reference. */
const READ_STATES = `
  select case when exists (select from pg_catalog.pg_constraint con
                             join pg_catalog.pg_class c on c.oid = con.conrelid
                             join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                            where n.nspname = k.schema and c.relname = k.name and con.conname = k.key) then 'present'
              when exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                            where n.nspname = k.toschema and c.relname = k.toname and c.relkind in ('r', 'p')) then 'absent'
              else 'without target' end as "state"
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
         with ordinality as k (schema, name, key, toschema, toname, at)
   order by k.at`;

async function readStates(client: Client, keys: readonly ForeignKey[]): Promise<readonly State[]> {
  const { rows } = await client.query<{ state: State }>(READ_STATES, [
    keys.map(({ table }) => table.schema),
    keys.map(({ table }) => table.name),
    keys.map(({ name }) => name),
    keys.map(({ references }) => references.schema),
    keys.map(({ references }) => references.name),
  ]);
  return rows.map(({ state }) => state);
}

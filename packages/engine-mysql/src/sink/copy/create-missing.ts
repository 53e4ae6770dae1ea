import { actionOf, hasCode, ReplicationError, tableKey, tableLabel, type TableName } from "@lockstep/core";
import { quoteIdentifier, quoteText } from "../../quoting.ts";
import type { MysqlSchema, TableDefinition } from "../../schema/definition.ts";
import { ServerError, toReplicationError } from "../../server-error.ts";
import type { Session } from "../../session.ts";

/** Creates those tables that the replica lacks, as they are on the primary, and their databases. */
export async function createMissing(
  session: Session,
  definition: MysqlSchema,
  tables: readonly TableName[],
  replica: string,
): Promise<void> {
  const there = await existing(session, tables);
  const wanted = new Set(tables.map(tableKey));
  const missing = definition.tables.filter(
    (table) => wanted.has(tableKey(table)) && !there.has(tableKey(table)),
  );
  for (const table of missing) {
    try {
      await create(session, table);
    } catch (error) {
      throw refused(error, definition, table, replica);
    }
  }
}

async function existing(session: Session, tables: readonly TableName[]): Promise<Set<string>> {
  if (tables.length === 0) return new Set();
  const names = tables.map(({ schema, name }) => `(${quoteText(schema)}, ${quoteText(name)})`).join(", ");
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name from information_schema.tables
      where (table_schema, table_name) in (${names})`,
  );
  return new Set(rows.map((row) => tableKey({ schema: row["schema"] ?? "", name: row["name"] ?? "" })));
}

/** What it refers to may come later, or never: nothing of ours checks it. */
async function create(session: Session, { schema, create: text }: TableDefinition): Promise<void> {
  const database = quoteIdentifier(schema);
  const statement = text.replace(/^CREATE TABLE /i, "CREATE TABLE IF NOT EXISTS ");
  await session.run(`create database if not exists ${database}; use ${database}; ${statement}`);
}

/** The server's words are of the definition, never of a row. */
function refused(error: unknown, { dialect }: MysqlSchema, table: TableDefinition, replica: string): unknown {
  const known = toReplicationError(error, `replica ${replica}`);
  if (!(error instanceof ServerError) || actionOf(known) === "retry" || hasCode(known, "permission-denied"))
    return known;
  const label = tableLabel(table);
  return new ReplicationError(
    "schema-mismatch",
    `replica ${replica} does not take the definition that table ${label} has on the primary (${dialect}): ${error.message}`,
    {
      fix: `create ${label} there by hand, with a definition that the replica knows and columns that hold what the primary's do`,
      fields: { replica, table: label, error: error.number },
    },
  );
}

import {
  actionOf,
  errorOf,
  hasCode,
  ReplicationError,
  tableKey,
  tableLabel,
  type Logger,
  type SchemaDefinition,
  type TableName,
} from "@lockstep/core";
import type { Connected } from "../../connection.ts";
import { quoteIdentifier } from "../../quoting.ts";
import { among, nameOf } from "../../schema/among.ts";
import { noSuchTable } from "../../schema/arrival.ts";
import { creationOf } from "../../schema/creation.ts";
import { mysqlSchema, type TableDefinition } from "../../schema/definition.ts";
import { caseKey, readNameCase, type NameCase } from "../../schema/name-case.ts";
import { dialectOf } from "../../schema/type-rules.ts";
import { ServerError, toReplicationError } from "../../server-error.ts";
import type { Session } from "../../session.ts";

interface CreatingOptions {
  readonly replica: string;
  readonly logger: Logger;
}

/** Creates those tables that the replica lacks, as they are on the primary, and their databases. */
export async function createMissing(
  connected: Connected,
  schema: SchemaDefinition,
  tables: readonly TableName[],
  options: CreatingOptions,
): Promise<void> {
  const { session, server } = connected;
  const told = await readNameCase(session);
  const there = await existing(session, tables, told);
  const wanted = new Set(tables.map(tableKey));
  const isMissing = (table: TableName): boolean =>
    wanted.has(tableKey(table)) && !there.has(caseKey(table, told));
  if (schema.dialect !== server.flavour) return await createCommon(connected, schema, isMissing, options);
  for (const table of mysqlSchema(schema).tables.filter(isMissing)) {
    try {
      await create(session, table);
    } catch (error) {
      throw refused(error, schema.dialect, table, options.replica);
    }
  }
}

async function existing(
  session: Session,
  tables: readonly TableName[],
  told: NameCase,
): Promise<Set<string>> {
  if (tables.length === 0) return new Set();
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name from information_schema.tables where ${among(tables)}`,
  );
  return new Set(rows.map((row) => caseKey(nameOf(row), told)));
}

/** What it refers to may come later, or never: nothing of ours checks it. */
async function create(session: Session, { schema, create: text }: TableDefinition): Promise<void> {
  const database = quoteIdentifier(schema);
  const statement = text.replace(/^CREATE TABLE /i, "CREATE TABLE IF NOT EXISTS ");
  await session.run(`create database if not exists ${database}; use ${database}; ${statement}`);
}

/** Those of another engine, by what their columns mean. */
async function createCommon(
  { session, server }: Connected,
  { dialect, common }: SchemaDefinition,
  isMissing: (table: TableName) => boolean,
  { replica, logger }: CreatingOptions,
): Promise<void> {
  const { flavour, version } = server;
  const together = new Map(common.map((table) => [tableKey(table), table]));
  for (const table of common.filter(isMissing)) {
    const place = { flavour, version, dialect: dialectOf(dialect), together };
    const { statement, withForeignKeys, leftOut, refused: why } = creationOf(table, place);
    if (why !== null) throw errorOf(noSuchTable(table, why, replica));
    try {
      await session.run(`create database if not exists ${quoteIdentifier(table.schema)}`);
      const isWhole = await createWhole(session, withForeignKeys, statement);
      if (!isWhole)
        logger.warn(
          { replica, table: tableLabel(table) },
          "foreign keys are left out: what is there does not take them",
        );
    } catch (error) {
      throw refused(error, dialect, table, replica);
    }
    if (leftOut.length > 0)
      logger.warn(
        { replica, table: tableLabel(table), leftOut },
        "a table is created without what its engine does not have",
      );
  }
}

/** False: without foreign keys, since tables that are there already do not take them. */
async function createWhole(session: Session, withForeignKeys: string, without: string): Promise<boolean> {
  if (withForeignKeys !== without) {
    try {
      await session.run(withForeignKeys);
      return true;
    } catch (error) {
      if (!(error instanceof ServerError) || actionOf(toReplicationError(error, "")) === "retry") throw error;
    }
  }
  await session.run(without);
  return withForeignKeys === without;
}

/** The server's words are of the definition, never of a row. */
function refused(error: unknown, dialect: string, table: TableName, replica: string): unknown {
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

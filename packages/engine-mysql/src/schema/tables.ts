import {
  matchesTable,
  tableKey,
  tableLabel,
  type Refusal,
  type RefusedTable,
  type SourceTable,
  type TableFilter,
  type TableName,
} from "@lockstep/core";
import { quoteIdentifier, quoteTable, quoteText } from "../quoting.ts";
import type { Server } from "../server.ts";
import type { Session, TextRow } from "../session.ts";

/** The server's own, and ours. */
const NOT_FOR_USERS = ["mysql", "information_schema", "performance_schema", "sys", "lockstep"];

export interface ListedTables {
  readonly tables: readonly SourceTable[];
  readonly refused: readonly RefusedTable[];
}

/** The tables of users that the filter names, and those of them that cannot be followed. */
export async function listTables(
  session: Session,
  server: Server,
  filter: TableFilter,
): Promise<ListedTables> {
  const rows = await session.query(
    `select t.table_schema as \`schema\`, t.table_name as name, t.engine as engine, e.transactions as transactions,
            t.table_type as kind
       from information_schema.tables t left join information_schema.engines e on e.engine = t.engine
      where t.table_type in ('BASE TABLE', 'SYSTEM VERSIONED') and t.table_schema not in (${NOT_FOR_USERS.map(quoteText).join(", ")})
      order by 1, 2`,
  );
  const cascades = await readUnloggedCascades(session, server);
  const tables: SourceTable[] = [];
  const refused: RefusedTable[] = [];
  for (const row of rows) {
    const table = nameOf(row);
    if (!matchesTable(filter, table)) continue;
    const refusal = whyNotSupported(table, row) ?? cascades.get(tableKey(table)) ?? null;
    if (refusal === null) tables.push(table);
    else refused.push({ table, ...refusal });
  }
  return { tables, refused };
}

export function isForUsers({ schema }: TableName): boolean {
  return !NOT_FOR_USERS.includes(schema.toLowerCase());
}

/** A table whose changes cannot be undone has no place in a transaction, nor in a view. */
function whyNotSupported(table: TableName, { engine, transactions, kind }: TextRow): Refusal | null {
  if (kind === "SYSTEM VERSIONED") {
    const versioned = `alter table ${quoteTable(table)} drop system versioning`;
    return { reason: `is system-versioned, and its log has its history, too (${versioned})`, sql: versioned };
  }
  if (transactions === "YES") return null;
  const sql = `alter table ${quoteTable(table)} engine = InnoDB`;
  return { reason: `is of engine ${engine ?? "(none)"}, which knows no transactions (${sql})`, sql };
}

/**
 * Tables that foreign keys change in silence: what a cascade does to their rows is not in the log. MySQL logs it since
 * its foreign keys are not InnoDB's own any more; a server that has the switch for that says which they are.
 */
async function readUnloggedCascades(session: Session, { flavour }: Server): Promise<Map<string, Refusal>> {
  const [native] = await session.query("show global variables like 'innodb_native_foreign_keys'");
  if (flavour === "mysql" && native?.["Value"] === "OFF") return new Map();
  const rows = await session.query(
    `select constraint_schema as \`schema\`, table_name as name, constraint_name as fk, referenced_table_name as parent
       from information_schema.referential_constraints
      where delete_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT') or update_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT')`,
  );
  const found = new Map<string, Refusal>();
  for (const row of rows) {
    const table = nameOf(row);
    const parent = tableLabel({ schema: table.schema, name: row["parent"] ?? "" });
    const sql = `alter table ${quoteTable(table)} drop foreign key ${quoteIdentifier(row["fk"] ?? "")}`;
    const reason = `is changed by foreign key ${row["fk"] ?? ""} when rows of ${parent} are, and the primary does not log that (${sql}, and add it again without CASCADE or SET NULL)`;
    const former = found.get(tableKey(table));
    found.set(tableKey(table), {
      reason: former === undefined ? reason : `${former.reason}; it ${reason}`,
      sql: former === undefined ? sql : `${former.sql ?? ""}; ${sql}`,
    });
  }
  return found;
}

/** MariaDB's sequences: their values are in the log as rows of a table, and they are none. */
export async function readSequences(session: Session): Promise<ReadonlySet<string>> {
  const rows = await session.query(
    "select table_schema as `schema`, table_name as name from information_schema.tables where table_type = 'SEQUENCE'",
  );
  return new Set(rows.map((row) => tableKey(nameOf(row))));
}

export interface MadeTable {
  readonly table: TableName;
  /** When it was made or altered last, in seconds since 1970 by the server's clock. */
  readonly atS: number;
}

export async function readMade(session: Session): Promise<readonly MadeTable[]> {
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name, unix_timestamp(create_time) as made
       from information_schema.tables where table_type = 'BASE TABLE' and create_time is not null`,
  );
  return rows.map((row) => ({ table: nameOf(row), atS: Number(row["made"]) }));
}

function nameOf(row: TextRow): SourceTable {
  return { schema: row["schema"] ?? "", name: row["name"] ?? "" };
}

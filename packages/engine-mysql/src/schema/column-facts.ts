import { tableKey, type TableName } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import type { Session } from "../session.ts";
import { nameOf } from "./among.ts";

/** What MariaDB's log does not say of a table's columns, and its catalog does. */
export interface ColumnFacts {
  readonly table: TableName;
  /** The types of those that the log shows as bytes. */
  readonly hidden: ReadonlyMap<string, string>;
  /** Those that the log does not carry when a row is updated. */
  readonly generated: ReadonlySet<string>;
}

/** What is known of them for rows of the log. */
export interface FactsThen extends ColumnFacts {
  /** What is not known: default: all is. */
  readonly unsure?: UnsureFacts | undefined;
}

/** Columns that may have been generated when rows were logged, or not: those that do not carry them say nothing of them. */
export interface UnsureFacts {
  readonly isOf: (column: string) => boolean;
  /** What such rows end with. */
  readonly failure: () => Error;
}

export interface ReadFacts {
  /** By table. */
  readonly facts: ReadonlyMap<string, ColumnFacts>;
  /** Tables that could not be looked up without waiting: somebody changes them just now. */
  readonly left: readonly TableName[];
}

const HIDDEN = "data_type in ('uuid', 'inet4', 'inet6', 'vector')";
const GENERATED = "coalesce(generation_expression, '') <> ''";
/** A table that cannot be opened in this time is left out, with a warning, of what a statement finds of several. */
const WITHOUT_WAITING = "set statement lock_wait_timeout = 0 for";
const LOCK_WAIT_TIMEOUT = "1205";

/** Of every table, waiting for whoever changes one. */
export async function readAllFacts(session: Session): Promise<ReadonlyMap<string, ColumnFacts>> {
  return await readFacts(session, "", null);
}

/** Of every table. Whoever changes one is not waited for. */
export async function readFactsAtOnce(session: Session): Promise<ReadFacts> {
  // Names are known without opening what they name.
  const rows = await session.query(
    `${WITHOUT_WAITING} select table_schema as \`schema\`, table_name as name
       from information_schema.tables where table_type = 'BASE TABLE'`,
  );
  const facts = await readFacts(session, WITHOUT_WAITING, null);
  return { facts, left: rows.map(nameOf).filter((table) => !facts.has(tableKey(table))) };
}

/** Of one table, which alone is opened; null where somebody changes it just now. Empty where it cannot be opened at all. */
export async function readOneAtOnce(
  session: Session,
  table: TableName,
): Promise<ReadonlyMap<string, ColumnFacts> | null> {
  const facts = await readFacts(session, WITHOUT_WAITING, table);
  if (facts.size > 0) return facts;
  const warnings = await session.query("show warnings");
  return warnings.some((row) => row["Code"] === LOCK_WAIT_TIMEOUT) ? null : facts;
}

/** Each table's first column tells that it was read. */
async function readFacts(
  session: Session,
  how: string,
  only: TableName | null,
): Promise<Map<string, ColumnFacts>> {
  const rows = await session.query(
    `${how} select table_schema as \`schema\`, table_name as name, column_name as col, column_type as type,
            ${HIDDEN} as is_hidden, ${GENERATED} as is_generated
       from information_schema.columns where (${HIDDEN} or ${GENERATED} or ordinal_position = 1)${isOnly(only)}`,
  );
  const facts = new Map<string, { table: TableName; hidden: Map<string, string>; generated: Set<string> }>();
  for (const row of rows) {
    const table = nameOf(row);
    const key = tableKey(table);
    const of = facts.get(key) ?? { table, hidden: new Map(), generated: new Set() };
    facts.set(key, of);
    if (row["is_hidden"] === "1") of.hidden.set(row["col"] ?? "", row["type"] ?? "");
    if (row["is_generated"] === "1") of.generated.add(row["col"] ?? "");
  }
  return facts;
}

function isOnly(only: TableName | null): string {
  return only === null
    ? ""
    : ` and table_schema = ${quoteText(only.schema)} and table_name = ${quoteText(only.name)}`;
}

import { type CopyMark, type Failpoints, type SnapshotTable } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../../connection.ts";
import { completeTable } from "../../schema/complete-table.ts";
import type { PostgresSchema } from "../../schema/definition.ts";
import { BINARY_FORMAT, TEXT_FORMAT } from "../../snapshot/columns.ts";
import { JSON_FORMAT } from "../../snapshot/json-rows.ts";
import { planTable, type PlanFor, type TablePlan } from "../table-plan.ts";
import { changeTableRows, markText } from "../table-rows.ts";
import { copiedRows } from "./copied-rows.ts";
import { notOurs } from "./copy-refused.ts";
import type { CopySessions } from "./copy-sessions.ts";

/** One attempt at one table: what both ways of copying it need. */
export interface TableAttempt extends PlanFor {
  readonly snapshot: SnapshotTable;
  readonly sessions: CopySessions;
  readonly pipeline: string;
  readonly owner: string;
  readonly attempt: number;
  /** Of a table that we made: its keys and indexes are ours to add. */
  readonly definition: PostgresSchema | null;
  readonly failpoints: Failpoints | undefined;
}

/** The best of the formats that we know. */
export function formatOf({ formats }: SnapshotTable): string {
  const known = [BINARY_FORMAT, TEXT_FORMAT, JSON_FORMAT];
  return known.find((format) => formats.includes(format)) ?? TEXT_FORMAT;
}

/** A4: raises unless the table's row still is this attempt's, and holds it to the transaction's end. */
export async function proveAttempt(client: Client, of: TableAttempt): Promise<void> {
  const { schema, name } = of.snapshot.table;
  await client.query("select lockstep.copying($1, $2, $3, $4, $5)", [
    of.pipeline,
    of.owner,
    schema,
    name,
    of.attempt,
  ]);
}

/** COPY FROM STDIN of the table's columns into `target`, which is quoted. */
export function copyFromStatement({ snapshot }: TableAttempt, target: string): string {
  const names = snapshot.table.columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const as = formatOf(snapshot) === BINARY_FORMAT ? "binary" : "text";
  return `copy ${target} (${names}) from stdin (format ${as})`;
}

/** The rows as that statement takes them. */
export async function rowsFor(
  client: Client,
  attempt: TableAttempt,
  open: () => AsyncIterable<Uint8Array>,
): Promise<() => AsyncIterable<Uint8Array>> {
  if (formatOf(attempt.snapshot) !== JSON_FORMAT) return open;
  const plan = await planTable(client, attempt, attempt.snapshot.table, { needsKey: false });
  return () => copiedRows(open(), plan, attempt.replica);
}

export function quotedTarget({ snapshot }: TableAttempt): string {
  return quoteTable(snapshot.table);
}

/** All rows are there: keys and indexes, and the server's statistics. */
export async function addKeys(client: Client, of: TableAttempt): Promise<TablePlan> {
  const { table } = of.snapshot;
  if (of.definition !== null) {
    await completeTable(client, of.definition, table);
    await client.query(`analyze ${quoteTable(table)}`);
  }
  return await planTable(client, of, table);
}

export async function storeMark(client: Client, of: TableAttempt, mark: CopyMark): Promise<void> {
  const text = markText(mark).replaceAll("'", "''");
  const isOurs = await changeTableRows(client, of, [of.snapshot.table], {
    set: `state = 'copied', mark = '${text}'`,
    where: `state = 'pending' and attempt = ${of.attempt}`,
  });
  if (!isOurs) throw notOurs(of.replica);
}

import {
  tableKey,
  tableLabel,
  type SchemaDefinition,
  type SnapshotTable,
  type TableName,
  type TableRange,
} from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { quoteTable, quoteText } from "../quoting.ts";
import { readSchema } from "../schema/definition.ts";
import { withoutWaiting } from "../schema/without-waiting.ts";
import { isLockWait, isNoTable, isTableChanged } from "../server-error.ts";
import type { Session } from "../session.ts";
import { readCopiedTables, type CopiedTable } from "./columns.ts";
import { rangesOf, type TableSize } from "./ranges.ts";
import { changedMeanwhile } from "./readers.ts";

/** A row a line: a JSON array of the cells. */
export const ROWS_FORMAT = "json-rows";

/** What is copied, in which parts, and what it is. */
export interface DescribedTables {
  readonly tables: readonly SnapshotTable[];
  readonly byRange: ReadonlyMap<TableRange, CopiedTable>;
  readonly schema: SchemaDefinition;
}

/** Within a transaction of the reader's. Rejects with `source-changed` where somebody alters one of them just now. */
export async function describeTables(
  reader: Connected,
  names: readonly TableName[],
  rangeBytes: number,
): Promise<DescribedTables> {
  return await withoutWaiting(reader, async () => {
    for (const name of names) await hold(reader.session, name);
    return await describeHeld(reader, names, rangeBytes);
  });
}

/** Nobody alters it until the transaction is over, or is rolled back to before. One that is gone is passed over. */
async function hold(session: Session, table: TableName): Promise<void> {
  await session.query(`select 1 from ${quoteTable(table)} limit 0`).catch((error: unknown) => {
    if (isNoTable(error)) return;
    throw isLockWait(error) || isTableChanged(error) ? changedMeanwhile(tableLabel(table), error) : error;
  });
}

async function describeHeld(
  { session, server }: Connected,
  names: readonly TableName[],
  rangeBytes: number,
): Promise<DescribedTables> {
  const copied = await readCopiedTables(session, names);
  const sizes = await readSizes(session, names);
  const byRange = new Map<TableRange, CopiedTable>();
  const tables: SnapshotTable[] = [];
  for (const table of copied) {
    const size = sizes.get(tableKey(table.table)) ?? { rows: 0, bytes: 0 };
    const ranges = await rangesOf(session, table, size, rangeBytes);
    for (const range of ranges) byRange.set(range, table);
    tables.push({ table: table.table, formats: [ROWS_FORMAT], ranges, ...size });
  }
  const schema = await readSchema(
    session,
    server.flavour,
    copied.map(({ table }) => table),
  );
  return { tables, byRange, schema };
}

async function readSizes(session: Session, names: readonly TableName[]): Promise<Map<string, TableSize>> {
  if (names.length === 0) return new Map();
  const wanted = names.map(({ schema, name }) => `(${quoteText(schema)}, ${quoteText(name)})`).join(", ");
  const rows = await session.query(
    `select table_schema as \`schema\`, table_name as name, coalesce(table_rows, 0) as \`rows\`,
            coalesce(data_length, 0) as bytes
       from information_schema.tables where (table_schema, table_name) in (${wanted})`,
  );
  return new Map(
    rows.map((row) => [
      tableKey({ schema: row["schema"] ?? "", name: row["name"] ?? "" }),
      { rows: Number(row["rows"]), bytes: Number(row["bytes"]) },
    ]),
  );
}

import {
  tableKey,
  tableLabel,
  type SchemaDefinition,
  type Snapshot,
  type SnapshotLimits,
  type SnapshotTable,
  type TableName,
  type TableRange,
  type View,
} from "@lockstep/core";
import { connect, type Connected, type ConnectOptions } from "../connection.ts";
import { quoteTable, quoteText } from "../quoting.ts";
import { readSchema } from "../schema/definition.ts";
import { toReplicationError } from "../server-error.ts";
import type { Session } from "../session.ts";
import { readCopiedTables, type CopiedTable } from "./columns.ts";
import { readBirthdays } from "./birthdays.ts";
import { rangesOf, type TableSize } from "./ranges.ts";
import { changedMeanwhile, letGo, Readers } from "./readers.ts";
import { openView, type SharedView, type ViewOptions } from "./view.ts";

const PLACE = "the primary";
/** How many ranges are read at the same time, at most: sessions cannot join a view later. */
const READERS = 4;
/** A row a line: a JSON array of the cells. */
export const ROWS_FORMAT = "json-rows";

/** Opens a view of the tables: exactly what the log says until one position. */
export async function openSnapshot(
  connection: ConnectOptions,
  tables: readonly TableName[],
  { rangeBytes, heldUp }: SnapshotLimits & Pick<ViewOptions, "heldUp">,
  signal: AbortSignal,
): Promise<Snapshot> {
  try {
    const view = await openView(connection, { readers: READERS, tables, heldUp }, signal);
    try {
      const [reader] = view.readers;
      if (reader === undefined) throw new TypeError("a view without sessions");
      const described = async (): Promise<MysqlSnapshotOptions> => ({
        connection,
        ...(await describe(view, reader, tables, rangeBytes)),
      });
      return new MysqlSnapshot(await letGo(reader.session, described));
    } catch (error) {
      await closeAll(view.readers);
      throw error;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw toReplicationError(error, PLACE);
  }
}

async function describe(
  view: SharedView,
  { session, server }: Connected,
  names: readonly TableName[],
  rangeBytes: number,
): Promise<Omit<MysqlSnapshotOptions, "connection">> {
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
  return { view, tables, byRange, schema };
}

interface MysqlSnapshotOptions {
  readonly connection: ConnectOptions;
  readonly view: SharedView;
  readonly tables: readonly SnapshotTable[];
  readonly byRange: ReadonlyMap<TableRange, CopiedTable>;
  readonly schema: SchemaDefinition;
}

class MysqlSnapshot implements Snapshot {
  readonly view: View;
  readonly earliestMissingUs: number;
  readonly tables: readonly SnapshotTable[];
  readonly schema: SchemaDefinition;
  readonly #options: MysqlSnapshotOptions;
  readonly #readers: Readers;

  constructor(options: MysqlSnapshotOptions) {
    const { view, tables, schema } = options;
    this.#options = options;
    this.view = { through: view.through, text: view.through };
    this.earliestMissingUs = view.takenUs;
    this.tables = tables;
    this.schema = schema;
    this.#readers = new Readers(view.readers.map(({ session }) => session));
  }

  read(range: TableRange, _format: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const copied = this.#options.byRange.get(range);
    if (copied === undefined) throw new TypeError("a range of another snapshot");
    const columns = copied.columns.map(({ expression }) => expression).join(", ");
    const where = range.text === "" ? "" : ` where ${range.text}`;
    // Without a key: in the order in which they are stored, so that they come in the same one when they are read again.
    const stored = copied.table.columns.some(({ isKey }) => isKey) ? "" : " use index ()";
    const sql = `select ${columns} from ${quoteTable(copied.table)}${stored}${where}`;
    return this.#readers.read({ sql, columns: copied.columns, label: tableLabel(copied.table) }, signal);
  }

  /** A table that is altered or emptied makes the reading fail; one that took another's name has its own birthday. */
  async verify({ table }: SnapshotTable, signal: AbortSignal): Promise<void> {
    await using connected = await connect(this.#options.connection, signal).catch((error: unknown) =>
      Promise.reject(toReplicationError(error, PLACE)),
    );
    const now = await readBirthdays(connected.session, [table]);
    const key = tableKey(table);
    if (now.get(key) === this.#options.view.birthdays.get(key)) return;
    throw changedMeanwhile(tableLabel(table));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.#options.view.readers);
  }
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

async function closeAll(readers: readonly Connected[]): Promise<void> {
  for (const { session } of readers) session.destroy(); // One that still reads has no time for a farewell.
  await Promise.all(readers.map(async (reader) => await reader[Symbol.asyncDispose]()));
}

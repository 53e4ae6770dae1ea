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
import { quoteTable } from "../quoting.ts";
import { withoutWaiting } from "../schema/without-waiting.ts";
import { toReplicationError } from "../server-error.ts";
import { readBirthdays } from "./birthdays.ts";
import { describeTables, type DescribedTables } from "./description.ts";
import { changedMeanwhile, letGo, Readers } from "./readers.ts";
import { openView, type SharedView, type ViewOptions } from "./view.ts";

const PLACE = "the primary";
/** How many ranges are read at the same time, at most: sessions cannot join a view later. */
const READERS = 4;

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
      const described = await letGo(
        reader.session,
        async () => await describeTables(reader, tables, rangeBytes),
      );
      return new MysqlSnapshot({ connection, view, ...described });
    } catch (error) {
      await closeAll(view.readers);
      throw error;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw toReplicationError(error, PLACE);
  }
}

interface MysqlSnapshotOptions extends DescribedTables {
  readonly connection: ConnectOptions;
  readonly view: SharedView;
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
    const now = await withoutWaiting(connected, async () => await readBirthdays(connected.session, [table]));
    const key = tableKey(table);
    if (now.get(key) === this.#options.view.birthdays.get(key)) return;
    throw changedMeanwhile(tableLabel(table));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.#options.view.readers);
  }
}

async function closeAll(readers: readonly Connected[]): Promise<void> {
  for (const { session } of readers) session.destroy(); // One that still reads has no time for a farewell.
  await Promise.all(readers.map(async (reader) => await reader[Symbol.asyncDispose]()));
}

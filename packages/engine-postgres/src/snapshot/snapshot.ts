import type { Readable } from "node:stream";
import {
  position,
  ReplicationError,
  tableKey,
  tableLabel,
  type Logger,
  type SchemaDefinition,
  type Snapshot,
  type SnapshotTable,
  type SourceTable,
  type TableName,
  type TableRange,
  type View,
} from "@lockstep/core";
import type { Client } from "pg";
import { connect, NO_TRANSACTION_TIMEOUT, type Connected, type ConnectOptions } from "../connection.ts";
import type { CarriedSchema } from "../schema/carried-schema.ts";
import { readSchema } from "../schema/read-schema.ts";
import { readSequences } from "../schema/sequences.ts";
import { listPublished } from "../source/publication.ts";
import { settle } from "../source/unsettled.ts";
import { whileTablesChange } from "./changed.ts";
import { readColumns } from "./columns.ts";
import { earliestMissing, readRunning, type Running } from "./missing.ts";
import { Readers } from "./readers.ts";
import { areSameFiles, copyStatement, rangesOf, readRelations, type Relation } from "./relations.ts";
import { parseView } from "./view.ts";

const PLACE = "the primary";

export interface OpenSnapshotOptions {
  readonly connection: ConnectOptions;
  readonly publication: string;
  readonly tables: readonly TableName[];
  readonly logger: Logger;
}

/**
 * Exports a repeatable-read view, from a session that stays in its transaction until the snapshot is disposed.
 * No slot: making one would wait for every running transaction. No lock outlives the reading of one range.
 */
export async function openSnapshot(options: OpenSnapshotOptions, signal: AbortSignal): Promise<Snapshot> {
  const exporter = await connect(options.connection, signal);
  const { client } = exporter;
  try {
    await client.query(NO_TRANSACTION_TIMEOUT);
    const wanted = new Set(options.tables.map(tableKey));
    const tables = (await listPublished(client, options.publication)).filter((table) =>
      wanted.has(tableKey(table)),
    );
    await settle(client, options.publication, tables, { logger: options.logger, signal });
    const relations = await readRelations(client, tables);
    const sequences = await readSequences(client, tables); // Before the view: reading one locks it to the transaction's end.
    const running = await readRunning(client);
    const exported = await exportView(client);
    const schema: CarriedSchema = { ...(await readSchema(client, tables)), sequences };
    return new PostgresSnapshot({
      exporter,
      readers: new Readers(options.connection, exported.name),
      connection: options.connection,
      exported,
      running,
      relations,
      tables: await describeTables(client, tables, relations),
      schema,
    });
  } catch (error) {
    await exporter[Symbol.asyncDispose]();
    signal.throwIfAborted();
    throw whileTablesChange(error, PLACE);
  }
}

interface ExportedView {
  /** For `set transaction snapshot`. */
  readonly name: string;
  readonly snapshot: string;
  readonly insertPosition: string;
}

/** The insert position is read under the view: what the view shows has its commit below. */
async function exportView(client: Client): Promise<ExportedView> {
  await client.query("begin isolation level repeatable read read only");
  const { rows } = await client.query<ExportedView>(
    `select pg_catalog.pg_export_snapshot() as "name", pg_catalog.pg_current_snapshot()::text as "snapshot",
            pg_catalog.pg_current_wal_insert_lsn()::text as "insertPosition"`,
  );
  const [exported] = rows;
  if (exported === undefined)
    throw new ReplicationError("protocol-violation", "the primary exported no view");
  return exported;
}

async function describeTables(
  client: Client,
  tables: readonly SourceTable[],
  relations: readonly Relation[],
): Promise<SnapshotTable[]> {
  const columns = await readColumns(client, tables);
  return tables.flatMap((table) => {
    const described = columns.get(table.identity ?? "");
    if (described === undefined) return [];
    const own = relations.filter((relation) => relation.table === table.identity);
    return [
      {
        ...described,
        ranges: own.flatMap(rangesOf),
        rows: own.reduce((sum, { rows }) => sum + rows, 0),
        bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      },
    ];
  });
}

interface PostgresSnapshotOptions {
  readonly exporter: Connected;
  readonly readers: Readers;
  readonly connection: ConnectOptions;
  readonly exported: ExportedView;
  readonly running: Running;
  /** As they were before the view. */
  readonly relations: readonly Relation[];
  readonly tables: readonly SnapshotTable[];
  readonly schema: SchemaDefinition;
}

class PostgresSnapshot implements Snapshot {
  readonly view: View;
  readonly earliestMissingUs: number | null;
  readonly tables: readonly SnapshotTable[];
  readonly schema: SchemaDefinition;
  readonly #options: PostgresSnapshotOptions;
  readonly #byRange: ReadonlyMap<TableRange, readonly string[]>;

  constructor(options: PostgresSnapshotOptions) {
    const { exported, running, tables, schema } = options;
    this.#options = options;
    this.view = { through: position(exported.insertPosition), text: exported.snapshot };
    this.earliestMissingUs = earliestMissing(running, parseView(exported.snapshot));
    this.tables = tables;
    this.schema = schema;
    this.#byRange = new Map(
      tables.flatMap(({ table, ranges }) =>
        ranges.map((range) => [range, table.columns.map(({ name }) => name)] as const),
      ),
    );
  }

  async read(range: TableRange, format: string, signal: AbortSignal): Promise<Readable> {
    const columns = this.#byRange.get(range);
    if (columns === undefined) throw new TypeError("a range of another snapshot");
    return await this.#options.readers.read(copyStatement(range, columns, format), signal);
  }

  async verify({ table }: SnapshotTable, signal: AbortSignal): Promise<void> {
    await using connected = await connect(this.#options.connection, signal);
    const now = await readRelations(connected.client, [table]).catch((error: unknown) => {
      throw whileTablesChange(error, PLACE);
    });
    const before = this.#options.relations.filter((relation) => relation.table === table.identity);
    if (areSameFiles(before, now)) return;
    throw new ReplicationError(
      "source-changed",
      `table ${tableLabel(table)} was rewritten or truncated while it was copied`,
      { fix: "it is copied again by itself", fields: { table: tableLabel(table) } },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.readers[Symbol.asyncDispose]();
    await this.#options.exporter[Symbol.asyncDispose]();
  }
}

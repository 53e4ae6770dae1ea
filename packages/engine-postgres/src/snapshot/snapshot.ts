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
import { readCommon } from "../schema/read-common.ts";
import { readSchema } from "../schema/read-schema.ts";
import { readSequences } from "../schema/sequences.ts";
import { listPublished } from "../source/publication.ts";
import { settle } from "../source/unsettled.ts";
import { whileTablesChange } from "./changed.ts";
import { readColumns } from "./columns.ts";
import { JSON_FORMAT, jsonRows } from "./json-rows.ts";
import { readEarliestMissing } from "./missing.ts";
import { Readers } from "./readers.ts";
import { areSameFiles, copyStatement, rangesOf, readRelations, type Relation } from "./relations.ts";
import { exportView, type ExportedView } from "./exported-view.ts";
import { waitForAll } from "./wait-for-all.ts";

const PLACE = "the primary";

export interface OpenSnapshotOptions {
  readonly connection: ConnectOptions;
  readonly publication: string;
  readonly tables: readonly TableName[];
  readonly rangeBytes: number;
  /** First waits for every transaction that runs now: then the view has all that the log has by now. */
  readonly waitsForAll: boolean;
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
    if (options.waitsForAll) await waitForAll(client, options.logger, signal);
    const earliestMissingUs = options.waitsForAll ? null : await readEarliestMissing(client);
    const exported = await exportView(client);
    const common = await readCommon(client, tables);
    const schema: CarriedSchema = { ...(await readSchema(client, tables)), common, sequences };
    return new PostgresSnapshot({
      exporter,
      readers: new Readers(options.connection, exported.name),
      connection: options.connection,
      exported,
      earliestMissingUs,
      relations,
      tables: await describeTables(client, tables, relations, options.rangeBytes),
      schema,
    });
  } catch (error) {
    await exporter[Symbol.asyncDispose]();
    signal.throwIfAborted();
    throw whileTablesChange(error, PLACE);
  }
}

async function describeTables(
  client: Client,
  tables: readonly SourceTable[],
  relations: readonly Relation[],
  rangeBytes: number,
): Promise<SnapshotTable[]> {
  const columns = await readColumns(client, tables);
  return tables.flatMap((table) => {
    const described = columns.get(table.identity ?? "");
    if (described === undefined) return [];
    const own = relations.filter((relation) => relation.table === table.identity);
    return [
      {
        ...described,
        ranges: own.flatMap((relation) => rangesOf(relation, rangeBytes)),
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
  readonly earliestMissingUs: number | null;
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
    const { exported, earliestMissingUs, tables, schema } = options;
    this.#options = options;
    this.view = { through: position(exported.through), text: exported.snapshot };
    this.earliestMissingUs = earliestMissingUs;
    this.tables = tables;
    this.schema = schema;
    this.#byRange = new Map(
      tables.flatMap(({ table, ranges }) =>
        ranges.map((range) => [range, table.columns.map(({ name }) => name)] as const),
      ),
    );
  }

  read(range: TableRange, format: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const columns = this.#byRange.get(range);
    if (columns === undefined) throw new TypeError("a range of another snapshot");
    const rows = this.#options.readers.read(copyStatement(range, columns, format), signal);
    return format === JSON_FORMAT ? jsonRows(rows, columns.length) : rows;
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

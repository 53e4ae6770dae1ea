import {
  tableKey,
  type Failpoints,
  type Logger,
  type Progress,
  type ReplicaTable,
  type SchemaDefinition,
  type SourceTable,
  type TableName,
} from "@lockstep/core";
import type { Client } from "pg";
import { replicaSchema, type ReplicaSchema } from "../schema/carried-schema.ts";
import type { ConstraintDefinition } from "../schema/definition.ts";
import { completeForeignKeys } from "../schema/foreign-keys.ts";
import { continueNumbers, setSequences } from "../schema/sequences.ts";
import { claimedByAnother, endCopying, insertProgressRow, readProgressRow } from "./progress.ts";
import { notOurs } from "./copy/copy-refused.ts";
import { changeTableRows, insertTableRows, joinTableRows, readTableRows } from "./table-rows.ts";

export interface ReplicaTablesOptions {
  readonly client: Client;
  readonly replica: string;
  readonly pipeline: string;
  readonly owner: string;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

/** Which tables the replica has, and how far their copies are, for the session that owns it. */
export class ReplicaTables {
  readonly #options: ReplicaTablesOptions;

  constructor(options: ReplicaTablesOptions) {
    this.#options = options;
  }

  async read(): Promise<ReplicaTable[]> {
    return await readTableRows(this.#options.client, this.#options.pipeline);
  }

  async beginCopy(progress: Progress, tables: readonly SourceTable[]): Promise<void> {
    const { client, pipeline, owner, replica, failpoints } = this.#options;
    await client.query("begin");
    const isInserted = await insertProgressRow(client, pipeline, owner, progress);
    if (!isInserted && (await readProgressRow(client, pipeline))?.owner !== owner)
      throw claimedByAnother(replica);
    await insertTableRows(client, this.#options, tables);
    await client.query("commit");
    failpoints?.hit("copy-begun");
  }

  async endCopy(progress: Progress): Promise<void> {
    const { client, pipeline, owner, replica, failpoints } = this.#options;
    if (!(await endCopying(client, pipeline, owner, progress))) throw claimedByAnother(replica);
    failpoints?.hit("copy-ended");
  }

  async add(tables: readonly SourceTable[]): Promise<void> {
    await insertTableRows(this.#options.client, this.#options, tables);
  }

  /** Within the transaction that applies what the tables' copies still lack. */
  async join(tables: readonly ReplicaTable[]): Promise<void> {
    const { client, pipeline, owner, replica } = this.#options;
    if (!(await joinTableRows(client, { pipeline, owner }, tables))) throw notOurs(replica);
  }

  async copyAgain(tables: readonly TableName[]): Promise<void> {
    const change = {
      set: "state = 'pending', mark = null, attempt = attempt + 1, joins = true",
      where: "state <> 'pending'",
    };
    if (!(await changeTableRows(this.#options.client, this.#options, tables, change)))
      throw claimedByAnother(this.#options.replica);
  }

  async complete(schema: SchemaDefinition, tables: readonly TableName[]): Promise<void> {
    const { client, logger, replica, failpoints } = this.#options;
    const carried = await this.#withoutUnfinished(replicaSchema(schema));
    const completed = new Set(tables.map(tableKey));
    await completeForeignKeys(client, carried, await this.#created(carried.tables), logger);
    await setSequences(client, carried.sequences);
    await continueNumbers(
      client,
      carried.numbered.filter(({ table }) => completed.has(tableKey(table))),
    );
    failpoints?.hit("tables-completed");
    const change = { set: "state = 'live', mark = null", where: "state = 'copied' and not joins" };
    if (!(await changeTableRows(client, this.#options, tables, change))) throw claimedByAnother(replica);
  }

  /** Without foreign keys to tables whose rows are not there yet: those tables bring them along. */
  async #withoutUnfinished(schema: ReplicaSchema): Promise<ReplicaSchema> {
    const unfinished = new Set(
      (await this.read()).filter(({ state, joins }) => joins || state.kind === "pending").map(tableKey),
    );
    if (unfinished.size === 0) return schema;
    const isLate = ({ references }: ConstraintDefinition): boolean =>
      references !== null && unfinished.has(tableKey(references));
    const tables = schema.tables.map((table) => ({
      ...table,
      constraints: table.constraints.filter((constraint) => !isLate(constraint)),
    }));
    return { ...schema, tables };
  }

  /** Those that we made: their foreign keys are ours to add. */
  async #created(tables: readonly TableName[]): Promise<TableName[]> {
    const { rows } = await this.#options.client.query<TableName>(
      `select schema_name as "schema", table_name as "name" from lockstep.tables where pipeline = $1 and is_created`,
      [this.#options.pipeline],
    );
    const created = new Set(rows.map(tableKey));
    return tables.filter((table) => created.has(tableKey(table)));
  }
}

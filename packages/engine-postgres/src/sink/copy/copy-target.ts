import {
  ReplicationError,
  tableKey,
  tableLabel,
  type CopyTarget,
  type ExistingRows,
  type Failpoints,
  type Logger,
  type SchemaDefinition,
  type SnapshotTable,
  type Table,
  type TableCopy,
  type TableName,
} from "@lockstep/core";
import type { Client } from "pg";
import { applicationName } from "../../link/target.ts";
import { replicaSchema, type ReplicaSchema } from "../../schema/carried-schema.ts";
import { createMissing } from "../../schema/create-missing.ts";
import { firstNonEmpty } from "../../schema/tables.ts";
import { endSessions, type ReplicaConnection } from "../replica-session.ts";
import { changeTableRows, forgetTableRows } from "../table-rows.ts";
import { planTable, type PlanFor } from "../table-plan.ts";
import { copyRefused, notOurs } from "./copy-refused.ts";
import { CopySessions } from "./copy-sessions.ts";
import { deleteRows, hasRows } from "./existing-rows.ts";
import { MergedCopy } from "./merged-copy.ts";
import { PlainCopy } from "./plain-copy.ts";

export interface CopyTargetOptions {
  readonly connection: ReplicaConnection;
  readonly dialect: string;
  readonly pipeline: string;
  readonly owner: string;
  readonly existing: ExistingRows;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly signal: AbortSignal;
}

interface StoredTable extends TableName {
  readonly isCreated: boolean;
  readonly keepsRows: boolean;
  readonly attempt: number;
}

/** Writes copies into a replica, by sessions that its claim ends like any other of the pipeline (A4). */
export class PostgresCopyTarget implements CopyTarget {
  readonly #options: CopyTargetOptions;
  readonly #sessions: CopySessions;
  #schema: ReplicaSchema | null = null;

  constructor(options: CopyTargetOptions) {
    this.#options = options;
    this.#sessions = new CopySessions(options.connection, options.signal);
  }

  async prepare(schema: SchemaDefinition, tables: readonly SnapshotTable[]): Promise<void> {
    const definition = replicaSchema(schema);
    this.#schema = definition;
    const names = tables.map(({ table }) => table);
    await this.#use(null, async (client) => {
      await createMissing(client, definition, names, async (table) => await this.#noteCreated(client, table));
      const stored = await this.#read(client, names);
      for (const { table } of tables) {
        const row = stored.get(tableKey(table));
        if (row === undefined) throw notOurs(this.#replica);
        if (row.isCreated) continue;
        await this.#plan(client, definition, table);
        if (row.attempt === 0) await this.#refuseRows(client, table);
      }
    });
  }

  async begin(snapshot: SnapshotTable): Promise<TableCopy> {
    const { table } = snapshot;
    return await this.#use(table, async (client) => {
      await client.query("begin");
      const isOurs = await changeTableRows(client, this.#options, [table], {
        set: "attempt = attempt + 1",
        where: "state = 'pending'",
      });
      const row = (await this.#read(client, [table])).get(tableKey(table));
      if (!isOurs || row === undefined) throw notOurs(this.#replica);
      const keepsRows = await this.#clear(client, snapshot, row);
      await client.query("commit");
      const { pipeline, owner, failpoints } = this.#options;
      const common = {
        snapshot,
        sessions: this.#sessions,
        ...this.#planFor,
        pipeline,
        owner,
        attempt: row.attempt,
        definition: row.isCreated ? this.#schema : null,
        failpoints,
      };
      return keepsRows ? new MergedCopy(common) : new PlainCopy(common);
    });
  }

  async endFormer(): Promise<void> {
    const names = [applicationName(this.#options.pipeline, "copy")];
    const left = await this.#use(null, async (client) => await endSessions(client, names));
    if (left.length === 0) return;
    throw new ReplicationError(
      "server-unavailable",
      `copying sessions ${left.join(", ")} on replica ${this.#replica} do not end`,
      { fix: "it is tried again until they do" },
    );
  }

  async forget(tables: readonly TableName[]): Promise<void> {
    if (tables.length === 0) return;
    await this.#use(null, async (client) => {
      await forgetTableRows(client, this.#options, tables);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }

  get #replica(): string {
    return this.#options.connection.replica;
  }

  get #planFor(): PlanFor {
    return { replica: this.#replica, dialect: this.#options.dialect };
  }

  /** A table that we did not make. */
  async #plan(client: Client, { refused, common }: ReplicaSchema, table: Table): Promise<void> {
    try {
      const of = common.find((one) => tableKey(one) === tableKey(table));
      await planTable(client, this.#planFor, table, { common: of });
    } catch (error) {
      const why = refused.get(tableKey(table));
      throw why === undefined ? error : notMade(this.#replica, table, why);
    }
  }

  /** In the transaction that makes it: its rows, keys and constraints are ours. */
  async #noteCreated(client: Client, table: TableName): Promise<void> {
    const change = { set: "is_created = true", where: "state = 'pending'" };
    if (!(await changeTableRows(client, this.#options, [table], change))) throw notOurs(this.#replica);
  }

  async #refuseRows(client: Client, table: TableName): Promise<void> {
    if (this.#options.existing !== "refuse" || (await firstNonEmpty(client, [table])) === null) return;
    throw notEmpty(this.#replica, table);
  }

  /** Makes the table ready for its rows; true where rows that are there stay. */
  async #clear(client: Client, { table }: SnapshotTable, row: StoredTable): Promise<boolean> {
    if (row.keepsRows) return true;
    if (!(await hasRows(client, table))) return false;
    const isOurs = row.isCreated || row.attempt > 1;
    const { existing, logger } = this.#options;
    if (!isOurs && existing === "refuse") throw notEmpty(this.#replica, table);
    if (!isOurs && existing === "keep") {
      const change = { set: "keeps_rows = true", where: "state = 'pending'" };
      await changeTableRows(client, this.#options, [table], change);
      return true;
    }
    logger.info({ replica: this.#replica, table: tableLabel(table) }, "deleting rows before a copy");
    await deleteRows(client, table);
    return false;
  }

  async #read(client: Client, tables: readonly TableName[]): Promise<Map<string, StoredTable>> {
    const { rows } = await client.query<StoredTable>(
      `select schema_name as "schema", table_name as "name", is_created as "isCreated", keeps_rows as "keepsRows", attempt
         from lockstep.tables where pipeline = $1 and owner = $2
          and (schema_name, table_name) in (select * from unnest($3::text[], $4::text[]))`,
      [
        this.#options.pipeline,
        this.#options.owner,
        tables.map(({ schema }) => schema),
        tables.map(({ name }) => name),
      ],
    );
    return new Map(rows.map((row) => [tableKey(row), row]));
  }

  async #use<T>(table: TableName | null, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await this.#sessions.use(work);
    } catch (error) {
      throw copyRefused(error, this.#replica, table);
    }
  }
}

/** A table of another engine that cannot be made here. */
export function notMade(replica: string, table: TableName, why: string): ReplicationError {
  return new ReplicationError(
    "schema-mismatch",
    `table ${tableLabel(table)} cannot be made on replica ${replica}: ${why}`,
    {
      fix: "rename it on the primary, or name it in tables.exclude",
      fields: { replica, table: tableLabel(table) },
    },
  );
}

export function notEmpty(replica: string, table: TableName): ReplicationError {
  return new ReplicationError(
    "table-not-empty",
    `table ${tableLabel(table)} on replica ${replica} has rows already`,
    {
      fix: "empty it, or set snapshot.existing: truncate deletes them, keep leaves those that the primary does not have",
      fields: { replica, table: tableLabel(table) },
    },
  );
}

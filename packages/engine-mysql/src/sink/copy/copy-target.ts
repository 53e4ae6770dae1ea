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
import type { Connected } from "../../connection.ts";
import { quoteTable } from "../../quoting.ts";
import type { Dialect } from "../../schema/type-rules.ts";
import { wholeTable } from "../../schema/whole-table.ts";
import type { Session } from "../../session.ts";
import type { ReplicaConnection } from "../replica-session.ts";
import { endCopies } from "../session-locks.ts";
import { planTable, type TablePlan } from "../table-plan.ts";
import { changeTableRows, forgetTableRows, readCopies, type StoredCopy } from "../table-rows.ts";
import { copyRefused, notOurs } from "./copy-refused.ts";
import { CopySessions } from "./copy-sessions.ts";
import { createMissing } from "./create-missing.ts";
import { MergedCopy } from "./merged-copy.ts";
import { PlainCopy } from "./plain-copy.ts";

export interface CopyTargetOptions {
  readonly connection: ReplicaConnection;
  readonly pipeline: string;
  readonly dialect: Dialect | undefined;
  readonly owner: string;
  readonly existing: ExistingRows;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
  readonly signal: AbortSignal;
}

/** Writes copies into a replica, by sessions that its claim ends like any other of the pipeline (A4). */
export class MysqlCopyTarget implements CopyTarget {
  readonly #options: CopyTargetOptions;
  readonly #sessions: CopySessions;

  constructor(options: CopyTargetOptions) {
    this.#options = options;
    this.#sessions = new CopySessions(options, options.signal);
  }

  async prepare(schema: SchemaDefinition, tables: readonly SnapshotTable[]): Promise<void> {
    const names = tables.map(({ table }) => table);
    await this.#use(null, async (connected) => {
      const { session } = connected;
      const stored = await readCopies(session, this.#options, names);
      if (names.some((table) => !stored.has(tableKey(table)))) throw notOurs(this.#replica);
      await createMissing(connected, schema, names, { replica: this.#replica, logger: this.#options.logger });
      for (const table of names) {
        await this.#plan(connected, table, schema);
        if (this.#options.existing !== "refuse" || stored.get(tableKey(table))?.attempt !== 0) continue;
        if (await hasRows(session, table)) throw notEmpty(this.#replica, table);
      }
    });
  }

  async begin(snapshot: SnapshotTable): Promise<TableCopy> {
    const { table } = snapshot;
    return await this.#use(table, async (connected) => {
      const { session } = connected;
      const plan = await this.#plan(connected, table);
      await session.run("start transaction");
      // Waits for every transaction that still writes for a former attempt (A4).
      const isOurs = await changeTableRows(session, this.#options, [table], {
        set: "attempt = attempt + 1",
        where: "state = 'pending'",
      });
      const row = (await readCopies(session, this.#options, [table])).get(tableKey(table));
      if (!isOurs || row === undefined) throw notOurs(this.#replica);
      const keepsRows = await this.#clear(session, plan, row);
      await session.run("commit");
      const { pipeline, owner, failpoints } = this.#options;
      const { attempt } = row;
      const replica = this.#replica;
      const common = {
        snapshot,
        plan,
        sessions: this.#sessions,
        replica,
        pipeline,
        owner,
        attempt,
        failpoints,
      };
      return keepsRows ? new MergedCopy(common) : new PlainCopy(common);
    });
  }

  async endFormer(): Promise<void> {
    const { pipeline } = this.#options;
    await this.#use(null, async ({ session }) => await endCopies(session, pipeline, this.#replica));
  }

  async forget(tables: readonly TableName[]): Promise<void> {
    if (tables.length === 0) return;
    await this.#use(null, async ({ session }) => await forgetTableRows(session, this.#options, tables));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
  }

  get #replica(): string {
    return this.#options.connection.replica;
  }

  async #plan({ session, server }: Connected, table: Table, schema?: SchemaDefinition): Promise<TablePlan> {
    const { flavour, version } = server;
    const { dialect } = this.#options;
    const together = new Map(schema?.common.map((one) => [tableKey(one), one]) ?? []);
    const common = together.get(tableKey(table));
    const place = { dialect: dialect ?? flavour, flavour, version, together };
    const whole = common === undefined ? undefined : wholeTable(common, place);
    const isMariadb = flavour === "mariadb";
    return await planTable({ session, replica: this.#replica, isMariadb, dialect }, table, whole);
  }

  /** Makes the table ready for its rows; true where rows that are there stay. */
  async #clear(session: Session, { table, keyColumns }: TablePlan, row: StoredCopy): Promise<boolean> {
    if (row.keepsRows) return true;
    if (!(await hasRows(session, table))) return false;
    const isOurs = row.attempt > 1;
    const { existing, logger } = this.#options;
    if (!isOurs && existing === "refuse") throw notEmpty(this.#replica, table);
    if (!isOurs && existing === "keep") {
      if (keyColumns.length === 0) throw noKey(this.#replica, table);
      const change = { set: "keeps_rows = true", where: "state = 'pending'" };
      await changeTableRows(session, this.#options, [table], change);
      return true;
    }
    logger.info({ replica: this.#replica, table: tableLabel(table) }, "deleting rows before a copy");
    // TRUNCATE would commit, and could then come after another attempt (A4).
    await session.run(`delete from ${quoteTable(table)}`);
    return false;
  }

  async #use<T>(table: TableName | null, work: (connected: Connected) => Promise<T>): Promise<T> {
    try {
      return await this.#sessions.use(work);
    } catch (error) {
      throw copyRefused(error, this.#replica, table);
    }
  }
}

export async function hasRows(session: Session, table: TableName): Promise<boolean> {
  return (await session.query(`select 1 from ${quoteTable(table)} limit 1`)).length > 0;
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

function noKey(replica: string, table: TableName): ReplicationError {
  return new ReplicationError(
    "table-not-empty",
    `table ${tableLabel(table)} on replica ${replica} has rows, and no key by which to tell them from the primary's`,
    {
      fix: "empty it, or give it a primary key, or set snapshot.existing to truncate",
      fields: { replica, table: tableLabel(table) },
    },
  );
}

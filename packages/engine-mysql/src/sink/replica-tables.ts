import {
  errorOf,
  type Failpoints,
  type Progress,
  type ReplicaTable,
  type SourceTable,
  type TableName,
} from "@lockstep/core";
import { readNamesakes } from "../schema/namesakes.ts";
import type { Session } from "../session.ts";
import { notOurs } from "./copy/copy-refused.ts";
import { claimedByAnother, endCopying, insertProgressRow, readProgressRow } from "./progress.ts";
import {
  changeTableRows,
  forgetTableRows,
  insertTableRows,
  joinTableRows,
  readTableRows,
} from "./table-rows.ts";

export interface ReplicaTablesOptions {
  readonly session: Session;
  readonly replica: string;
  readonly pipeline: string;
  readonly owner: string;
  readonly failpoints: Failpoints | undefined;
}

/** Which tables the replica has, and how far their copies are, for the session that owns it. */
export class ReplicaTables {
  readonly #options: ReplicaTablesOptions;

  constructor(options: ReplicaTablesOptions) {
    this.#options = options;
  }

  async read(): Promise<ReplicaTable[]> {
    return await readTableRows(this.#options.session, this.#options.pipeline);
  }

  async beginCopy(progress: Progress, tables: readonly SourceTable[]): Promise<void> {
    const { session, pipeline, owner, replica, failpoints } = this.#options;
    await this.#refuseNamesakes(tables);
    await session.run("start transaction");
    const isInserted = await insertProgressRow(session, this.#options, progress);
    if (!isInserted && (await readProgressRow(session, pipeline))?.owner !== owner)
      throw claimedByAnother(replica);
    await insertTableRows(session, this.#options, tables);
    await session.run("commit");
    failpoints?.hit("copy-begun");
  }

  async endCopy(progress: Progress): Promise<void> {
    const { session, replica, failpoints } = this.#options;
    if (!(await endCopying(session, this.#options, progress))) throw claimedByAnother(replica);
    failpoints?.hit("copy-ended");
  }

  async add(tables: readonly SourceTable[]): Promise<void> {
    await this.#refuseNamesakes([...(await this.read()), ...tables]);
    await insertTableRows(this.#options.session, this.#options, tables);
  }

  async forget(tables: readonly TableName[]): Promise<void> {
    await forgetTableRows(this.#options.session, this.#options, tables);
  }

  /** Within the transaction that applies what the tables' copies still lack. */
  async join(tables: readonly ReplicaTable[]): Promise<void> {
    const { session, replica } = this.#options;
    if (!(await joinTableRows(session, this.#options, tables))) throw notOurs(replica);
  }

  async copyAgain(tables: readonly TableName[]): Promise<void> {
    await this.#change(tables, {
      set: "state = 'pending', mark_view = null, mark_start = null, attempt = attempt + 1, joins = true",
      where: "state <> 'pending'",
    });
  }

  /** Keys, indexes and foreign keys came with the tables. */
  async complete(tables: readonly TableName[]): Promise<void> {
    this.#options.failpoints?.hit("tables-completed");
    await this.#change(tables, {
      set: "state = 'live', mark_view = null, mark_start = null",
      where: "state = 'copied' and not joins",
    });
  }

  async #refuseNamesakes(tables: readonly TableName[]): Promise<void> {
    const [namesakes] = await readNamesakes(this.#options.session, tables, this.#options.replica);
    if (namesakes !== undefined) throw errorOf(namesakes);
  }

  async #change(
    tables: readonly TableName[],
    change: { readonly set: string; readonly where: string },
  ): Promise<void> {
    const { session, replica } = this.#options;
    if (!(await changeTableRows(session, this.#options, tables, change))) throw claimedByAnother(replica);
  }
}

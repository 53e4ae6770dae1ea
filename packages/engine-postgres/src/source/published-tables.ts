import type { Client } from "pg";
import {
  errorOf,
  noTables,
  tableKey,
  tableLabel,
  tablesNotSupported,
  type Logger,
  type RefusedTable,
  type SourceTable,
  type TableFilter,
} from "@lockstep/core";
import { listTables } from "../schema/tables.ts";
import { whileTablesChange } from "../snapshot/changed.ts";
import { proveUnaltered } from "./publication-stamp.ts";
import { listPublished, takeIn } from "./publication.ts";

interface PublishedTablesOptions {
  readonly publication: string;
  readonly tables: TableFilter;
  readonly logger: Logger;
}

/** Which tables are to be published, and are. */
export class PublishedTables {
  readonly #options: PublishedTablesOptions;
  /** Refused tables that were named in the log. */
  readonly #named = new Set<string>();

  constructor(options: PublishedTablesOptions) {
    this.#options = options;
  }

  /** With a slot a table that cannot be followed stops nothing unless it is published: somebody made it meanwhile. */
  async list(client: Client, hasSlot: boolean): Promise<readonly SourceTable[]> {
    const { tables: filter } = this.#options;
    const { tables, refused } = await listTables(client, filter);
    const published = hasSlot
      ? new Set((await listPublished(client, this.#options.publication)).map(tableKey))
      : null;
    const fatal = refused.filter(({ table }) => published === null || published.has(tableKey(table)));
    if (fatal.length > 0) throw tablesNotSupported(fatal);
    this.#nameRefused(refused);
    if (tables.length === 0) throw errorOf(noTables(filter));
    return tables;
  }

  /** Publishes tables that have come, too; answers with all of them. Rejects where others altered the publication. */
  async takeIn(client: Client, place: string): Promise<readonly SourceTable[]> {
    const { publication, logger } = this.#options;
    try {
      const { tables, refused } = await listTables(client, this.#options.tables);
      this.#nameRefused(refused);
      await proveUnaltered(client, publication);
      await takeIn(client, publication, tables, logger);
      return await listPublished(client, publication);
    } catch (error) {
      throw whileTablesChange(error, place);
    }
  }

  #nameRefused(refused: readonly RefusedTable[]): void {
    for (const { table, reason } of refused) {
      const key = `${tableLabel(table)} ${reason}`;
      if (this.#named.has(key)) continue;
      this.#named.add(key);
      this.#options.logger.warn(
        { table: tableLabel(table), reason },
        "a table that matches cannot be replicated",
      );
    }
  }
}

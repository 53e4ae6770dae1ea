import type { TableName } from "@lockstep/core";
import { caseKey, type NameCase } from "../schema/name-case.ts";

export interface NamedTablesOptions {
  /** How the primary tells names apart: a statement may write them in another case than its catalog and its log. */
  readonly told: NameCase;
  /** Those that rows told of. */
  readonly streamed: ReadonlyMap<number, TableName>;
}

/** What statements name, as the primary's log names it. One per stream. */
export class NamedTables {
  readonly #options: NamedTablesOptions;
  readonly #listed: ReadonlyMap<string, TableName>;
  /** Databases that were dropped, with what was made in them since. */
  readonly #dropped = new Map<string, Set<string>>();
  /** So many names they are. */
  keptCount = 0;

  /** `listed`: those of the catalog when the stream begins, of which it may tell no row. */
  constructor(listed: readonly TableName[], options: NamedTablesOptions) {
    this.#options = options;
    this.#listed = new Map(listed.map((table) => [this.#key(table), table]));
  }

  of(named: TableName): TableName {
    const { told } = this.#options;
    const key = this.#key(named);
    const known =
      this.#listed.get(key) ?? [...this.#options.streamed.values()].find((table) => this.#key(table) === key);
    return known ?? { schema: told(named.schema), name: told(named.name) };
  }

  /** A database is dropped: the tables that it may have had. */
  drop(schema: string): TableName[] {
    const { told, streamed } = this.#options;
    const former = this.#dropped.get(told(schema));
    this.keptCount += former === undefined ? 1 : -former.size;
    this.#dropped.set(told(schema), new Set());
    const tables = [...this.#listed.values(), ...streamed.values()];
    return tables.filter((table) => told(table.schema) === told(schema));
  }

  /** A table is made, if it is not there. True: it is another one than before its database was dropped. */
  make(table: TableName): boolean {
    const made = this.#dropped.get(this.#options.told(table.schema));
    if (made === undefined || made.has(this.#key(table))) return false;
    made.add(this.#key(table));
    this.keptCount += 1;
    return true;
  }

  #key(table: TableName): string {
    return caseKey(table, this.#options.told);
  }
}

import type { TableName } from "@lockstep/core";
import { caseKey, type NameCase } from "../schema/name-case.ts";
import type { MadeTable } from "../schema/tables.ts";

export interface NamedTablesOptions {
  /** How the primary tells names apart: a statement may write them in another case than its catalog and its log. */
  readonly told: NameCase;
  /** Those that rows told of. */
  readonly streamed: ReadonlyMap<number, TableName>;
  /** When the tables that were there as the stream began were made or altered last. */
  readonly made: readonly MadeTable[];
}

/** What statements name, as the primary's log names it. One per stream. */
export class NamedTables {
  readonly #options: NamedTablesOptions;
  readonly #listed: ReadonlyMap<string, TableName>;
  /** In seconds. */
  readonly #madeAt: ReadonlyMap<string, number>;
  /** Databases that were dropped, with what was made in them since. */
  readonly #dropped = new Map<string, Set<string>>();
  /** So many names they are. */
  keptCount = 0;

  /** `listed`: those of the catalog when the stream begins, of which it may tell no row. */
  constructor(listed: readonly TableName[], options: NamedTablesOptions) {
    this.#options = options;
    this.#listed = new Map(listed.map((table) => [this.#key(table), table]));
    this.#madeAt = new Map(options.made.map(({ table, atS }) => [this.#key(table), atS]));
  }

  of(named: TableName): TableName {
    const { told } = this.#options;
    const key = this.#key(named);
    const known = this.#listed.get(key) ?? this.#streamed(key);
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

  /**
   * A table is made. False: it was there, and is what it was; that may be where `unlessThereAtS` says when it was made
   * unless it is there, and else is null.
   */
  make(table: TableName, unlessThereAtS: number | null): boolean {
    const key = this.#key(table);
    const made = this.#dropped.get(this.#options.told(table.schema));
    const isNew =
      unlessThereAtS === null || (made === undefined ? !this.#wasThere(key, unlessThereAtS) : !made.has(key));
    if (made === undefined || made.has(key)) return isNew;
    made.add(key);
    this.keptCount += 1;
    return isNew;
  }

  /** One that was altered since may have been made then: that is not known. */
  #wasThere(key: string, atS: number): boolean {
    const madeAtS = this.#madeAt.get(key);
    return (madeAtS !== undefined && madeAtS < atS) || this.#streamed(key) !== undefined;
  }

  #streamed(key: string): TableName | undefined {
    return [...this.#options.streamed.values()].find((table) => this.#key(table) === key);
  }

  #key(table: TableName): string {
    return caseKey(table, this.#options.told);
  }
}

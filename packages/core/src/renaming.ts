import { namingBoth, type TwoNames } from "./both-names.ts";
import type { CommonTable } from "./common-schema.ts";
import { tableKey, tableLabel, type EventGroup, type Table, type TableName } from "./event.ts";
import { errorFinding, errorOf, type ErrorFinding } from "./finding.ts";

/**
 * One schema of the primary is called otherwise on a replica, since engines disagree about what a database's own
 * schema is called. Names go both ways, so no two tables may come to have one name.
 */
export class Renaming {
  readonly #from: string;
  readonly #to: string | null;
  readonly #known = new WeakMap<Table, Table>();
  /** What was asked of the replica by another name than the primary's. */
  readonly #asked = new Map<string, TwoNames>();

  /** `from`: on the primary; `to`: on the replica, null where its url does not say. */
  constructor(from: string, to: string | null) {
    this.#from = from;
    this.#to = to;
  }

  /** The primary's name, on the replica; null for a table that has none, or whose name another one has there. */
  place<T extends TableName>(table: T): T | null {
    if (table.schema === this.#from) return this.#to === null ? null : { ...table, schema: this.#to };
    return table.schema === this.#to ? null : table;
  }

  /** Throws `setup-incomplete` for a table that has no place. */
  there<T extends TableName>(table: T): T {
    const place = this.place(table);
    if (place === null) throw errorOf(this.noPlace(table));
    if (place !== table) {
      const { schema, name } = place;
      this.#asked.set(tableKey(place), { there: { schema, name }, here: { schema: table.schema, name } });
    }
    return place;
  }

  /** Work of the replica's; where it fails, the error has both names of its tables. */
  async naming<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw namingBoth(error, [...this.#asked.values()]);
    }
  }

  noPlace(table: TableName): ErrorFinding {
    if (this.#to === null)
      return errorFinding(
        "setup-incomplete",
        `table ${tableLabel(table)} has no place on the replica, whose url names no database`,
        {
          fix: `add one to the url, as mysql://…:3306/shop: there lies what is ${this.#from} on the primary`,
        },
      );
    return errorFinding(
      "setup-incomplete",
      `table ${tableLabel(table)} has no place on the replica, where schema ${this.#to} is what ${this.#from} is on the primary`,
      { fix: "name it in tables.exclude, or give the replica a database of another name" },
    );
  }

  /** The replica's name, on the primary. */
  here<T extends TableName>(table: T): T {
    return table.schema === this.#to ? { ...table, schema: this.#from } : table;
  }

  /** The same definition is the same object afterwards: plans are remembered by it. */
  table(table: Table): Table {
    const known = this.#known.get(table);
    if (known !== undefined) return known;
    const renamed = this.there(table);
    this.#known.set(table, renamed);
    return renamed;
  }

  group<T extends EventGroup>(group: T): T {
    const tables = new Map([...group.tables].map(([id, table]) => [id, this.table(table)]));
    return { ...group, tables };
  }

  common(table: CommonTable): CommonTable {
    const foreignKeys = table.foreignKeys.flatMap((key) => {
      const references = this.place(key.references);
      return references === null ? [] : [{ ...key, references }];
    });
    return { ...this.there(table), foreignKeys };
  }
}

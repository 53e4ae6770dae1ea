import { matchesTable, type TableFilter } from "@lockstep/core";
import { readCharsetTable, readCollations, type CharsetInfo } from "../binlog/charset-query.ts";
import type { CharsetTable } from "../binlog/charset-table.ts";
import { Charsets, isBuiltIn } from "../binlog/charsets.ts";
import type { Session } from "../session.ts";

/** The charsets of a primary's text, as the server itself converts them; asked for once. */
export class CharsetTables {
  readonly #filter: TableFilter;
  readonly #wanted = new Map<string, CharsetInfo>();
  readonly #tables = new Map<string, CharsetTable>();

  constructor(filter: TableFilter) {
    this.#filter = filter;
  }

  /** A stream has text in it, though no table has now. */
  want(charset: CharsetInfo): void {
    this.#wanted.set(charset.name, charset);
  }

  /** With those that the tables use, and those that were wanted. */
  async read(session: Session): Promise<Charsets> {
    const query = async (sql: string): Promise<Readonly<Record<string, string | null>>[]> =>
      await session.query(sql);
    const collations = await readCollations(query);
    const byName = new Map([...collations.values()].map((charset) => [charset.name, charset]));
    for (const name of await this.#used(session)) {
      const charset = byName.get(name);
      if (charset !== undefined && !isBuiltIn(name)) this.want(charset);
    }
    const charsets = new Charsets(collations);
    for (const [name, charset] of this.#wanted) {
      const table = this.#tables.get(name) ?? (await readCharsetTable(query, charset));
      this.#tables.set(name, table);
      charsets.add(charset, table);
    }
    return charsets;
  }

  async #used(session: Session): Promise<ReadonlySet<string>> {
    const rows = await session.query(
      `select distinct table_schema as \`schema\`, table_name as name, character_set_name as charset
         from information_schema.columns where character_set_name is not null`,
    );
    const ours = rows.filter((row) =>
      matchesTable(this.#filter, { schema: row["schema"] ?? "", name: row["name"] ?? "" }),
    );
    return new Set(ours.map((row) => row["charset"] ?? ""));
  }
}

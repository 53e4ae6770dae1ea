import type { TableName } from "@lockstep/core";
import { tokensOf, type Token } from "./tokens.ts";

export type NamedTable = TableName;

/** What a statement in the log says to us; definitions come with the rows. */
export type Meaning =
  | { readonly kind: "definition" }
  | { readonly kind: "truncate"; readonly table: NamedTable }
  /** Under these names there are other rows now, or none, and the log does not say which. */
  | { readonly kind: "anew"; readonly tables: readonly NamedTable[] }
  | { readonly kind: "database-dropped"; readonly schema: string }
  /** It was not there; `isUnless`: or was, as what it stays. */
  | { readonly kind: "made"; readonly table: NamedTable; readonly isUnless: boolean }
  /** Changes rows, and the rows are not in the log. */
  | { readonly kind: "changes"; readonly verb: string };

const CHANGES = new Set(["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "MERGE", "CALL"]);
const DEFINITION: Meaning = { kind: "definition" };
/** Before PARTITION or TABLESPACE: rows come or go with it. */
const MOVES_ROWS = new Set(["TRUNCATE", "DROP", "EXCHANGE", "CONVERT", "DISCARD", "IMPORT"]);
/** After RENAME, in front of a name that is no table's. */
const RENAMED_PARTS = new Set(["COLUMN", "INDEX", "KEY"]);

/** Whether it may make other columns, or another table, of what it names. */
export function changesDefinitions(sql: string): boolean {
  return DEFINES.has(tokensOf(sql)[0]?.text.toUpperCase() ?? "");
}

const DEFINES = new Set(["CREATE", "ALTER", "DROP", "RENAME"]);

export function meaningOf(sql: string, defaultSchema: string): Meaning {
  const words = new Words(tokensOf(sql), defaultSchema);
  const verb = words.word();
  if (CHANGES.has(verb)) return { kind: "changes", verb };
  words.step();
  switch (verb) {
    case "TRUNCATE": {
      words.skip("TABLE");
      const table = words.name();
      return table === null ? DEFINITION : { kind: "truncate", table };
    }
    case "DROP":
      return dropped(words);
    case "RENAME":
      return words.skip("TABLE", "TABLES") ? anew(words.names()) : DEFINITION;
    case "ALTER":
      return altered(words);
    case "CREATE":
      return created(words);
    default:
      return DEFINITION;
  }
}

function dropped(words: Words): Meaning {
  if (words.skip("DATABASE", "SCHEMA")) {
    words.skipAll("IF", "EXISTS");
    const schema = words.text();
    return schema === null ? DEFINITION : { kind: "database-dropped", schema };
  }
  return words.skip("TABLE", "TABLES") ? anew(words.names()) : DEFINITION;
}

function created(words: Words): Meaning {
  const replaces = words.skip("OR") && words.skip("REPLACE");
  if (!words.skip("TABLE")) return DEFINITION;
  const isUnless = words.skip("IF");
  words.skipAll("NOT", "EXISTS");
  const table = words.name();
  if (replaces || table === null) return anew([table]);
  return { kind: "made", table, isUnless };
}

function altered(words: Words): Meaning {
  words.skip("ONLINE");
  let isAnew = words.skip("IGNORE"); // Rows that a new key does not take are dropped.
  if (!words.skip("TABLE")) return DEFINITION;
  words.skipAll("IF", "EXISTS");
  const tables = [words.name()];
  for (let before = ""; !words.isAtEnd; before = words.step()) {
    const word = words.word();
    if ((word === "PARTITION" || word === "TABLESPACE") && MOVES_ROWS.has(before)) isAnew = true;
    const isOther = word === "TABLE" && (before === "WITH" || before === "TO" || before === "CONVERT");
    if (word !== "RENAME" && !isOther) continue;
    words.step();
    if (RENAMED_PARTS.has(words.word())) continue;
    words.skipAll("TO", "AS", "=");
    tables.push(words.name());
    isAnew = true;
  }
  return isAnew ? anew(tables) : DEFINITION;
}

function anew(names: readonly (NamedTable | null)[]): Meaning {
  const tables = names.filter((name) => name !== null);
  return tables.length === 0 ? DEFINITION : { kind: "anew", tables };
}

/** Goes along the words of a statement. */
class Words {
  readonly #tokens: readonly Token[];
  readonly #defaultSchema: string;
  #at = 0;

  constructor(tokens: readonly Token[], defaultSchema: string) {
    this.#tokens = tokens;
    this.#defaultSchema = defaultSchema;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** In upper case; empty for a name in quotes. */
  word(): string {
    const token = this.#tokens[this.#at];
    return token === undefined || token.isQuoted ? "" : token.text.toUpperCase();
  }

  /** Goes on; answers the word that was left. */
  step(): string {
    const word = this.word();
    this.#at += 1;
    return word;
  }

  /** One of these, if it is there. */
  skip(...wanted: readonly string[]): boolean {
    // A table may be called as a word is: then nothing follows it.
    const isThere = wanted.includes(this.word()) && this.#at + 1 < this.#tokens.length;
    if (isThere) this.#at += 1;
    return isThere;
  }

  skipAll(...wanted: readonly string[]): void {
    while (this.skip(...wanted));
  }

  text(): string | null {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    return token?.text ?? null;
  }

  name(): NamedTable | null {
    const first = this.text();
    if (first === null) return null;
    if (this.word() !== ".") return { schema: this.#defaultSchema, name: first };
    this.#at += 1;
    const name = this.text();
    return name === null ? null : { schema: first, name };
  }

  /** A list, with TO in it or not. */
  names(): NamedTable[] {
    this.skipAll("IF", "EXISTS");
    const names: NamedTable[] = [];
    do {
      const name = this.name();
      if (name !== null) names.push(name);
      if (this.skip("WAIT")) this.#at += 1;
      this.skip("NOWAIT");
    } while (this.skip(",", "TO"));
    return names;
  }
}

import type { TableName } from "@lockstep/core";
import { isCutOff, tokensOf } from "./tokens.ts";

/** What may make another column of what it names, or of all that is in a database that it names. */
const WHOLE =
  /\b(?:drop\s+(?:temporary\s+)?(?:table|database|schema)|rename|replace|like|select|exchange|import)\b/i;
const GENERATED = /\b(?:generated|virtual|persistent|stored)\b|\bas\s*\(/i;
const RENAMES = /\b(?:rename|change)\b/i;
const DROPS_DATABASE = /^drop (?:database|schema)\b/;

/** As the log has a statement. */
export interface LoggedStatement {
  readonly schema: string;
  readonly sql: string;
}

/** A statement that changes definitions: what it may be of, by the words in it. */
export class DefiningStatement implements LoggedStatement {
  readonly schema: string;
  readonly sql: string;
  #read: Words | null = null;

  constructor({ schema, sql }: LoggedStatement) {
    this.schema = schema;
    this.sql = sql;
  }

  isSame({ schema, sql }: LoggedStatement): boolean {
    return this.schema === schema && this.sql === sql;
  }

  /** Whether it may be of any of those tables. A database that is dropped is not: what has its tables' names then is made. */
  mayConcern(includes: (table: TableName) => boolean): boolean {
    const list = wordsOf(this.sql);
    if (isCutOff(list)) return true;
    return list.some((name, index) => {
      const schema = list[index - 1] === "." ? (list[index - 2] ?? this.schema) : this.schema;
      return (
        includes({ schema, name }) || includes({ schema: schema.toLowerCase(), name: name.toLowerCase() })
      );
    });
  }

  /** Whether it may be of a table. */
  mayName({ schema, name }: TableName): boolean {
    const { lower, isCut } = this.#words;
    if (isCut) return true;
    if (!lower.has(name.toLowerCase())) return false;
    return this.schema.toLowerCase() === schema.toLowerCase() || lower.has(schema.toLowerCase());
  }

  /** As `mayName`, or it drops its database. */
  mayChange(table: TableName): boolean {
    const { lower, dropsDatabase } = this.#words;
    return (dropsDatabase && lower.has(table.schema.toLowerCase())) || this.mayName(table);
  }

  /** Whether before it any of these columns of a table may have been of another type than after it. */
  mayRetype(table: TableName, columns: readonly string[]): boolean {
    if (columns.length === 0 || !this.mayChange(table)) return false;
    return columns.some((column) => this.mayTouch(column));
  }

  /** Whether before it a column of its table may have been another than after it, or none. */
  mayTouch(column: string): boolean {
    const { lower, isWhole } = this.#words;
    return isWhole || lower.has(column.toLowerCase());
  }

  /** Whether what is generated after it may not have been so before, under the same name. */
  get mayGenerate(): boolean {
    const { isGenerating, isRenaming, isWhole } = this.#words;
    return isGenerating || isRenaming || isWhole;
  }

  get #words(): Words {
    if (this.#read !== null) return this.#read;
    const list = wordsOf(this.sql);
    const lower = list.map((word) => word.toLowerCase());
    const text = lower.join(" ");
    const isCut = isCutOff(list);
    this.#read = {
      lower: new Set(lower),
      dropsDatabase: DROPS_DATABASE.test(text),
      isGenerating: GENERATED.test(text),
      isRenaming: RENAMES.test(text),
      isWhole: isCut || WHOLE.test(text),
      isCut,
    };
    return this.#read;
  }
}

function wordsOf(sql: string): string[] {
  return tokensOf(sql).map(({ text }) => text);
}

/** What is asked of it more than once; there may be many of them ahead. */
interface Words {
  readonly lower: ReadonlySet<string>;
  readonly dropsDatabase: boolean;
  readonly isGenerating: boolean;
  readonly isRenaming: boolean;
  readonly isWhole: boolean;
  /** It goes on, and may name anything. */
  readonly isCut: boolean;
}

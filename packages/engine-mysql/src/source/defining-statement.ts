import type { TableName } from "@lockstep/core";
import { isCutOff, tokensOf } from "./tokens.ts";

/** What may make another column of what it names, or of all that is in a database that it names. */
const WHOLE =
  /\b(?:drop\s+(?:temporary\s+)?(?:table|database|schema)|rename|replace|like|select|exchange|import)\b/i;
const GENERATED = /\b(?:generated|virtual|persistent|stored)\b|\bas\s*\(/i;
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

  /** Whether before it a column may have been another than after it; `doubtful`: those that the log does not tell apart. */
  mayRetype(table: TableName, doubtful: readonly string[]): boolean {
    if (!this.mayChange(table)) return false;
    const { lower, isGenerating, isWhole } = this.#words;
    if (isGenerating) return true;
    if (doubtful.length === 0) return false;
    return isWhole || doubtful.some((column) => lower.has(column.toLowerCase()));
  }

  get #words(): Words {
    if (this.#read !== null) return this.#read;
    const list = wordsOf(this.sql);
    const lower = list.map((word) => word.toLowerCase());
    const text = lower.join(" ");
    this.#read = {
      lower: new Set(lower),
      dropsDatabase: DROPS_DATABASE.test(text),
      isGenerating: GENERATED.test(text),
      isWhole: WHOLE.test(text),
      isCut: isCutOff(list),
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
  readonly isWhole: boolean;
  /** It goes on, and may name anything. */
  readonly isCut: boolean;
}

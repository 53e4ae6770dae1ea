import type { ColumnFacts } from "../schema/column-facts.ts";
import type { LoggedStatement } from "./defining-statement.ts";
import { tokensOf, type Token } from "./tokens.ts";

/** What a statement itself says of the columns that it makes. */
export interface CreatedTable extends ColumnFacts {
  /** Columns whose type is as the log shows it. */
  readonly plain: ReadonlySet<string>;
}

/** Comments, of which the server may take a part as said and we not, and backslashes, which not every session escapes with. */
const UNCERTAIN = /[\\#]|\/\*|\*\/|--/;
/** In front of what is no column; none of them is a column's name without quotes, but where another type follows. */
const NO_COLUMN = new Set(["PRIMARY", "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "CONSTRAINT"]);
const HIDDEN = new Set(["UUID", "INET4", "INET6"]);
const PLAIN = new Set(["BINARY", "VARBINARY", "CHAR", "VARCHAR"]);

/**
 * Of a plain CREATE TABLE that lists its columns; null for everything else. What a column's type or its generation is
 * said in another way than most say it is left out: of such a column nothing is known.
 */
export function createdTable({ schema, sql }: LoggedStatement): CreatedTable | null {
  if (UNCERTAIN.test(sql) || !/^\s*create\s/i.test(sql)) return null;
  const tokens = tokensOf(sql);
  const words = tokens.map(wordOf);
  let at = 1;
  if (words[at] === "OR" && words[at + 1] === "REPLACE") at += 2;
  if (words[at] !== "TABLE" || words[at + 1] === "IF") return null; // It may have been there, as another one.
  at += 1;
  const isQualified = words[at + 1] === ".";
  const database = isQualified ? tokens[at]?.text : schema;
  const name = tokens[isQualified ? at + 2 : at]?.text;
  at += isQualified ? 3 : 1;
  if (name === undefined || database === undefined || words[at] !== "(") return null;
  const items = itemsOf(tokens.slice(at));
  if (items === null) return null;
  const created = {
    hidden: new Map<string, string>(),
    generated: new Set<string>(),
    plain: new Set<string>(),
  };
  for (const item of items) if (!take(item, created)) return null;
  return { table: { schema: database, name }, ...created };
}

/** Whether it says of columns whose type the log does not tell what they are. */
export function tells({ hidden, plain }: CreatedTable, doubtful: readonly string[]): boolean {
  return doubtful.every((column) => hidden.has(column) || plain.has(column));
}

/** The parts of a list in parentheses, without what stands in parentheses within them, but for these. */
function itemsOf(tokens: readonly Token[]): Token[][] | null {
  const items: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    const word = wordOf(token);
    if (word === ")") depth -= 1;
    if (depth === 0 && word === ")") return items;
    if (depth === 1 && word === ",") items.push([]);
    else if (depth > 0) items.at(-1)?.push(token);
    if (word === "(") depth += 1;
  }
  return null;
}

interface Created {
  readonly hidden: Map<string, string>;
  readonly generated: Set<string>;
  readonly plain: Set<string>;
}

/** False: it may make columns that it does not name. */
function take(item: readonly Token[], { hidden, generated, plain }: Created): boolean {
  const [name] = item;
  const words = item.map(wordOf);
  const [first = "", type = "", open, size, close] = words;
  if (name === undefined || first === "LIKE") return false;
  if (NO_COLUMN.has(first)) return true;
  const attributes = outside(words);
  if (attributes.includes("AS")) {
    if (attributes[attributes.indexOf("AS") + 1] !== "(") return false; // Of a history that the server keeps.
    generated.add(name.text);
  }
  if (HIDDEN.has(type) && open !== "(") hidden.set(name.text, type.toLowerCase());
  else if (type === "VECTOR" && open === "(" && close === ")" && /^[1-9]\d*$/.test(size ?? ""))
    hidden.set(name.text, `vector(${size})`);
  else if (PLAIN.has(type)) plain.add(name.text);
  return true;
}

/** What does not stand in parentheses; these are there. */
function outside(words: readonly string[]): string[] {
  let depth = 0;
  return words.filter((word) => {
    if (word === ")") depth -= 1;
    const isThere = depth === 0;
    if (word === "(") depth += 1;
    return isThere;
  });
}

/** In upper case; empty for a name in quotes, or a text. */
function wordOf({ text, isQuoted }: Token): string {
  return isQuoted ? "" : text.toUpperCase();
}

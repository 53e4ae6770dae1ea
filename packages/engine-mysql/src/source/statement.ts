import type { TableName } from "@lockstep/core";

export type TruncatedTable = TableName;

/** What a statement in the log says to us; definitions come with the rows, so that of DDL only TRUNCATE counts. */
export type Meaning =
  | { readonly kind: "definition" }
  | { readonly kind: "truncate"; readonly table: TruncatedTable }
  /** Changes rows, and the rows are not in the log. */
  | { readonly kind: "changes"; readonly verb: string };

const CHANGES = new Set(["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "MERGE", "CALL"]);

/** Whether it may make other columns, or another table, of what it names. */
export function changesDefinitions(sql: string): boolean {
  return DEFINES.has(tokensOf(sql)[0]?.text.toUpperCase() ?? "");
}

const DEFINES = new Set(["CREATE", "ALTER", "DROP", "RENAME"]);

export function meaningOf(sql: string, defaultSchema: string): Meaning {
  const tokens = tokensOf(sql);
  const verb = tokens[0]?.text.toUpperCase() ?? "";
  if (CHANGES.has(verb)) return { kind: "changes", verb };
  const empties = verb === "ALTER" ? PARTITION.exec(sql) : null;
  if (empties !== null) return { kind: "changes", verb: `ALTER TABLE … ${empties[0].toUpperCase()}` };
  if (verb !== "TRUNCATE") return { kind: "definition" };
  const rest =
    tokens[1]?.isQuoted === false && tokens[1].text.toUpperCase() === "TABLE"
      ? tokens.slice(2)
      : tokens.slice(1);
  const [first, dot, second] = rest;
  if (first === undefined) return { kind: "definition" };
  const table =
    dot?.text === "." && second !== undefined
      ? { schema: first.text, name: second.text }
      : { schema: defaultSchema, name: first.text };
  return { kind: "truncate", table };
}

/** What it does to rows is not in the log; a name may look alike, and then the pipeline stops for nothing. */
const PARTITION = /\b(?:TRUNCATE|DROP|EXCHANGE)\s+PARTITION\b/i;
/** MariaDB logs it in front of the statement that it is for. */
const SET_STATEMENT = /^\s*SET\s+STATEMENT\s[\s\S]*?\sFOR\s+/i;

interface Token {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Comments are as the session sent them; what is within an executable one counts. */
const TOKEN =
  /\/\*M?![0-9]*|\*\/|\/\*[\s\S]*?\*\/|(?:--[\s]|#)[^\n]*|`((?:[^`]|``)*)`|"((?:[^"]|"")*)"|[.;]|[^\s.;`"/*]+|\S/g;
/** As many as the longest meaning needs. */
const MAX_TOKENS = 6;

function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const [whole, ticked, quoted] of sql.replace(SET_STATEMENT, "").matchAll(TOKEN)) {
    if (ticked !== undefined) tokens.push({ text: ticked.replaceAll("``", "`"), isQuoted: true });
    else if (quoted !== undefined) tokens.push({ text: quoted.replaceAll('""', '"'), isQuoted: true });
    else if (!/^(?:\/\*|\*\/|--\s|#)/.test(whole)) tokens.push({ text: whole, isQuoted: false });
    if (tokens.length === MAX_TOKENS) break;
  }
  return tokens;
}

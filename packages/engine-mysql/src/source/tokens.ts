/** MariaDB logs it in front of the statement that it is for. */
const SET_STATEMENT = /^\s*SET\s+STATEMENT\s[\s\S]*?\sFOR\s+/i;

export interface Token {
  readonly text: string;
  /** A name in quotes, or a text. */
  readonly isQuoted: boolean;
}

/** Comments are as the session sent them; what is within an executable one counts. */
const TOKEN =
  /\/\*M?![0-9]*|\*\/|\/\*[\s\S]*?\*\/|(?:--[\s]|#)[^\n]*|`((?:[^`]|``)*)`|"((?:[^"\\]|\\[\s\S]|"")*)"|'((?:[^'\\]|\\[\s\S]|'')*)'|[.;,()=]|[^\s.;,()=`"'/*]+|\S/g;
/** Longer than what tells anything, but for a list of many tables. */
const MAX_TOKENS = 100_000;

export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const [whole, ticked, quoted, text] of sql.replace(SET_STATEMENT, "").matchAll(TOKEN)) {
    if (ticked !== undefined) tokens.push({ text: ticked.replaceAll("``", "`"), isQuoted: true });
    else if (quoted !== undefined) tokens.push({ text: quoted.replaceAll('""', '"'), isQuoted: true });
    else if (text !== undefined) tokens.push({ text, isQuoted: true });
    else if (!/^(?:\/\*|\*\/|--\s|#)/.test(whole)) tokens.push({ text: whole, isQuoted: false });
    if (tokens.length === MAX_TOKENS) break;
  }
  return tokens.at(-1)?.text === ";" ? tokens.slice(0, -1) : tokens;
}

/** Of a statement of so many words not all are there. */
export function isCutOff(tokens: readonly unknown[]): boolean {
  return tokens.length >= MAX_TOKENS - 1;
}

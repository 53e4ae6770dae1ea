import type { Column } from "@lockstep/core";
import { literalFor, UnfitValue, type Literal } from "./literal.ts";
import { targetKindOf, type CatalogColumn } from "./target-type.ts";

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs;

/** As `literalFor`, for a column of PostgreSQL's, where types of one meaning are not the same in everything. */
export function postgresLiteral({ type, nativeType }: Column, target: CatalogColumn): Literal | null {
  const literal = literalFor(type, target);
  const kind = targetKindOf(target);
  if (literal === null) return null;
  // A BIT is a number: zeros in front are no part of it.
  if (kind === "bit" && type === "bits" && nativeType !== target.columnType) return null;
  if (kind === "json" && nativeType === "json") return (text) => literal(withoutTwins(text));
  return literal;
}

/** MySQL's documents have each name once, and of the others nothing is left. */
function withoutTwins(document: string): string {
  if (hasTwins(document)) throw new UnfitValue("a document that has a name twice");
  return document;
}

function hasTwins(document: string): boolean {
  const open: (Set<string> | null)[] = [];
  let isName = false;
  for (const [token] of document.matchAll(TOKENS)) {
    if (token === "{" || token === "[") open.push(token === "{" ? new Set() : null);
    else if (token === "}" || token === "]") open.pop();
    const names = open.at(-1) ?? null;
    if (token.startsWith('"') && isName && names !== null) {
      const name = String(JSON.parse(token));
      if (names.has(name)) return true;
      names.add(name);
    }
    isName = token === "{" || token === ",";
  }
  return false;
}

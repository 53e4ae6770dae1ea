import { createHash } from "node:crypto";

/** `NAMEDATALEN - 1`: the server cuts off what is longer. */
export const MAX_NAME_BYTES = 63;
const HASH_DIGITS = 8;

/**
 * The name of an index that elsewhere is a name within its table: here it is one within the schema, and it must be the
 * same whichever tables are made together.
 */
export function indexName(table: string, index: string): string {
  return marked(`${table}_${index}`, [table, index]);
}

/** Of a constraint: a name within its table here, too. */
export function constraintName(name: string): string {
  return Buffer.byteLength(name) <= MAX_NAME_BYTES ? name : marked(name, [name]);
}

function marked(text: string, of: readonly string[]): string {
  const mark = `_${createHash("sha256").update(JSON.stringify(of)).digest("hex").slice(0, HASH_DIGITS)}`;
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept + character + mark) > MAX_NAME_BYTES) break;
    kept += character;
  }
  return kept + mark;
}

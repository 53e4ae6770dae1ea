import type { TableName } from "@lockstep/core";

export function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** Of a session without NO_BACKSLASH_ESCAPES, which every session of ours is. */
export function quoteText(text: string): string {
  const isPlain = !text.includes("'") && !text.includes("\\");
  return isPlain ? `'${text}'` : `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** A schema of the source is a database. */
export function quoteTable({ schema, name }: TableName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

import type { Flavour } from "../flavour.ts";
import { quoteText } from "../quoting.ts";
import type { TextRow } from "../session.ts";
import { charsetOfCollation } from "./collation.ts";

/** Of `information_schema.columns`, for `columnWords`. */
export const WORDS_OF_COLUMN: string =
  "column_type as type, collation_name as collation, is_nullable as nullable, column_default as dflt, extra as more, " +
  "generation_expression as made, column_comment as comment";

/** All that the catalog says of a column, as it stands behind its name in a definition. */
export function columnWords(row: TextRow, flavour: Flavour): string {
  const { type, collation, nullable, made, comment } = row;
  const extra = row["more"] ?? "";
  const isGenerated = (made ?? "") !== "";
  const kept = /\bstored\b|\bpersistent\b/i.test(extra) ? "stored" : "virtual";
  const [onUpdate] = /on update \S+/i.exec(extra) ?? [];
  return [
    type ?? "",
    ...(collation === null || collation === undefined
      ? []
      : [`character set ${charsetOfCollation(collation)} collate ${collation}`]),
    ...(isGenerated ? [`generated always as (${unescaped(made ?? "", flavour)}) ${kept}`] : []),
    // MariaDB's generated columns take no such word.
    ...(isGenerated && nullable === "YES" ? [] : [nullable === "YES" ? "null" : "not null"]),
    ...(isGenerated ? [] : defaultWords(row["dflt"] ?? null, extra, flavour)),
    ...(onUpdate === undefined ? [] : [onUpdate]),
    ...(/auto_increment/i.test(extra) ? ["auto_increment"] : []),
    ...(/\binvisible\b/i.test(extra) ? ["invisible"] : []),
    ...((comment ?? "") === "" ? [] : [`comment ${quoteText(comment ?? "")}`]),
  ].join(" ");
}

function defaultWords(text: string | null, extra: string, flavour: Flavour): string[] {
  if (text === null) return [];
  if (flavour === "mariadb")
    return [`default ${/^[\w'-]/.test(text) && !text.includes("(") ? text : wrapped(text)}`];
  if (!/default_generated/i.test(extra))
    return [`default ${/^b'[01]+'$|^0x[0-9a-f]+$/i.test(text) ? text : quoteText(text)}`];
  return [`default ${/^current_timestamp/i.test(text) ? text : `(${unescaped(text, flavour)})`}`];
}

/** An expression; the moment of the statement needs no parentheses. */
function wrapped(text: string): string {
  return /^current_timestamp/i.test(text) ? text : `(${text})`;
}

/** MySQL's catalog has backslashes before quotes. */
function unescaped(expression: string, flavour: Flavour): string {
  return flavour === "mysql" ? expression.replace(/\\(.)/gs, "$1") : expression;
}

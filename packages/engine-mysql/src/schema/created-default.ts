import type { CommonColumn } from "@lockstep/core";
import { literalFor, UnfitValue } from "../sink/literal.ts";
import { baseOf, isText } from "./created-type.ts";

/** Types whose default is an expression, if it is anything. */
const ONLY_EXPRESSIONS = /^(?:\w*text|\w*blob|json|geometry|vector)/;

/** The server writes an expression with backslashes before these, and reads it as the session would (NO_BACKSLASH_ESCAPES). */
const ESCAPED = /['\\\n\r]/;

/** What stands behind DEFAULT; null where the primary's default is none here. */
export function createdDefault(column: CommonColumn, type: string): string | null {
  const { default: given } = column;
  if (given === null) return null;
  if (given.kind === "now") return nowOf(column, type);
  const sql = literalFor(column.type, {
    name: column.name,
    dataType: baseOf(type),
    columnType: type,
    charset: isText(type) ? "utf8mb4" : null,
    collation: null,
    scale: scaleOf(type),
    isGenerated: false,
    definition: "",
    isRequired: false,
    fillsNull: false,
  });
  try {
    const text = sql?.(given.text) ?? null;
    if (text === null || !ONLY_EXPRESSIONS.test(type)) return text;
    return ESCAPED.test(given.text) && !type.endsWith("blob")
      ? `(${withoutEscapes(given.text)})`
      : `(${text})`;
  } catch (error) {
    if (error instanceof UnfitValue) return null;
    throw error;
  }
}

function withoutEscapes(text: string): string {
  return `convert(0x${Buffer.from(text).toString("hex")} using utf8mb4)`;
}

/** In UTC where the column is, whatever the time zone of the session. */
function nowOf({ type: logical }: CommonColumn, type: string): string | null {
  const [, base, digits = ""] = /^(datetime|timestamp)(\(\d\))?$/.exec(type) ?? [];
  if (base === undefined) return null;
  return base === "datetime" && logical === "timestamptz"
    ? `(utc_timestamp${digits === "" ? "()" : digits})`
    : `current_timestamp${digits}`;
}

function scaleOf(type: string): number {
  const [, first = "0", second] = /\((\d+)(?:,(\d+))?\)/.exec(type) ?? [];
  if (baseOf(type) === "decimal") return Number(second ?? 0);
  return /^(?:datetime|timestamp|time)\b/.test(type) ? Number(first) : 0;
}

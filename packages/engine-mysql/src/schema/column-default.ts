import type { CommonDefault, LogicalType } from "@lockstep/core";
import { float32Text, float64Text } from "../binlog/floats.ts";
import type { Flavour } from "../flavour.ts";

/** What a column's definition says of its default, as the catalog has it. */
export interface CatalogDefault {
  /** MySQL's text of the value; MariaDB's expression, where a text has quotes. */
  readonly text: string | null;
  readonly extra: string;
  readonly type: LogicalType;
  /** Of bits; else null. */
  readonly length: number | null;
}

export interface ReadDefault {
  readonly value: CommonDefault | null;
  /** There is one, and common words cannot say it. */
  readonly isLeftOut: boolean;
}

const NONE: ReadDefault = { value: null, isLeftOut: false };
const LEFT_OUT: ReadDefault = { value: null, isLeftOut: true };
const NOW = /^current_timestamp(?:\(\d*\))?$/i;
const ZERO_MOMENT = /^0000-00-00 00:00:00(?:\.0+)?$/;

export function readDefault(flavour: Flavour, column: CatalogDefault): ReadDefault {
  const { text, extra, type, length } = column;
  if (text === null || (flavour === "mariadb" && text === "NULL")) return NONE;
  if (NOW.test(text) && (type === "timestamp" || type === "timestamptz"))
    return { value: { kind: "now" }, isLeftOut: false };
  const literal = flavour === "mysql" ? literalOfMysql(text, extra) : literalOfMariadb(text);
  const canonical = literal === null ? null : canonicalText(literal, type, length);
  return canonical === null ? LEFT_OUT : { value: { kind: "value", text: canonical }, isLeftOut: false };
}

function literalOfMysql(text: string, extra: string): string | null {
  return /default_generated/i.test(extra) ? null : text;
}

/** Numbers and bits stand as they are; whatever else has no quotes is an expression. */
function literalOfMariadb(text: string): string | null {
  if (/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text) || /^b'[01]+'$/.test(text)) return text;
  const [, quoted] = /^'((?:[^'\\]|''|\\.)*)'$/s.exec(text) ?? [];
  return quoted === undefined
    ? null
    : quoted.replace(/''|\\(.)/gs, (pair, escaped: string | undefined) => unescaped(pair, escaped));
}

const CONTROLS: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0", Z: "\x1a" };

function unescaped(pair: string, escaped: string | undefined): string {
  return escaped === undefined ? pair.slice(1) : (CONTROLS[escaped] ?? escaped);
}

/** Null: the catalog's words do not tell the value for certain. */
function canonicalText(text: string, type: LogicalType, length: number | null): string | null {
  switch (type) {
    case "int16":
    case "int32":
    case "int64":
    case "uint64":
      return /^-?\d+$/.test(text) ? String(BigInt(text)) : null;
    case "decimal":
      return /^-?\d+(?:\.\d+)?$/.test(text) ? text.replace(/^(-?)0+(?=\d)/, "$1") : null;
    case "float32":
      return isNumber(text) ? float32Text(Math.fround(Number(text))) : null;
    case "float64":
      return isNumber(text) ? float64Text(Number(text)) : null;
    case "bits":
      return /^b'([01]+)'$/.exec(text)?.[1]?.padStart(length ?? 1, "0") ?? null;
    case "bytes": // In the catalog as hex, as text, or as a text of what is none.
      return null;
    case "timestamptz": // In the time zone of whoever made the table.
      return ZERO_MOMENT.test(text) ? text : null;
    case "string":
    case "enum":
    case "set":
    case "date":
    case "time":
    case "timestamp":
    case "uuid":
      return text;
    default:
      return null;
  }
}

function isNumber(text: string): boolean {
  return text !== "" && Number.isFinite(Number(text));
}

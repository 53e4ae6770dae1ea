import type { CommonColumn, CommonDefault } from "@lockstep/core";

/** What a default is of: the column, and its type as the server names it without a modifier. */
export interface DefaultOf {
  readonly column: Pick<CommonColumn, "type" | "maxLength" | "precision" | "scale">;
  readonly baseType: string;
}

const LITERAL = /^(?:B)?'((?:[^']|'')*)'(?:::(.+))?$/s;
const NUMBER = /^-?\d+(?:\.\d+)?$/;
const NULL = /^NULL(?:::.+)?$/;
const NOW =
  /^(?:(?:pg_catalog\.)?(?:now|transaction_timestamp|statement_timestamp)\(\)|(?:CURRENT_TIMESTAMP|LOCALTIMESTAMP)(?:\(\d\))?)$/;
const NUMBER_TYPES: ReadonlySet<string> = new Set(["smallint", "integer", "bigint", "numeric"]);
const TEXT_TYPES: ReadonlySet<string> = new Set(["text", "character varying"]);
/** So many digits every float keeps. */
const FLOAT_DIGITS = { float32: 6, float64: 15 } as const;

/**
 * What the server's text of a default says, in common words: constants, whose text is that of the type's own output, and
 * the moment. `undefined`: it is something else, which would have to be run.
 */
export function constantDefault(
  expression: string,
  { column, baseType }: DefaultOf,
): CommonDefault | null | undefined {
  if (NULL.test(expression)) return null;
  if (NOW.test(expression))
    return column.type === "timestamptz" || column.type === "timestamp" ? { kind: "now" } : undefined;
  const text = constantText(expression, { column, baseType });
  return text === null ? undefined : { kind: "value", text };
}

function constantText(expression: string, of: DefaultOf): string | null {
  const { type } = of.column;
  if (expression === "true" || expression === "false")
    return type === "boolean" ? expression.slice(0, 1) : null;
  if (NUMBER.test(expression)) return numberText(expression, of);
  const [, quoted, castTo] = LITERAL.exec(expression) ?? [];
  if (quoted === undefined || castTo === undefined) return null;
  const text = quoted.replaceAll("''", "'");
  if (NUMBER_TYPES.has(castTo) && NUMBER.test(text)) return numberText(text, of);
  const isSame = castTo === of.baseType || (TEXT_TYPES.has(castTo) && TEXT_TYPES.has(of.baseType));
  return isSame ? fittingText(text, of) : null;
}

/** As the column would keep it: an assignment rounds. */
function numberText(text: string, { column: { type, scale } }: DefaultOf): string | null {
  const [, fraction = ""] = text.split(".");
  switch (type) {
    case "int16":
    case "int32":
    case "int64":
      return fraction === "" ? text : null;
    case "decimal":
      return scale === null || fraction.length <= scale ? text : null;
    case "float32":
    case "float64":
      return text.replace(/\D/g, "").length <= FLOAT_DIGITS[type] ? text : null;
    default:
      return null;
  }
}

function fittingText(text: string, { column, baseType }: DefaultOf): string | null {
  const { type, maxLength, scale } = column;
  if (type === "string" && maxLength !== null) {
    const { length } = Array.from(text);
    if (length > maxLength) return null;
    return baseType === "bpchar" ? text + " ".repeat(maxLength - length) : text;
  }
  if (type === "bits" && maxLength !== null && text.length !== maxLength) return null;
  const digits = /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
  const isTime = type === "time" || type === "timetz" || type === "timestamp" || type === "timestamptz";
  return isTime && scale !== null && digits > scale ? null : text;
}

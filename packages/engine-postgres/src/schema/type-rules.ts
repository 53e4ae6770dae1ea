import type { CommonColumn, LogicalType, TypeRule } from "@lockstep/core";
import { exactly, fitting, fraction, whole, type TakenType, type Write } from "./exact-values.ts";

/** `lengthof(varchar)`: characters at most. */
const MAX_VARCHAR = 10_485_760;

interface Rule {
  /** In words, and as the statement has it. */
  readonly creates: string;
  readonly createdAs: (column: CommonColumn) => string;
  /** Types of columns that are there already, by the catalog's name, beside those of texts; what each does with a value. */
  readonly takes: Readonly<Partial<Record<TypeName, (target: TakenType) => Write | null>>>;
  readonly refuses: string | null;
}

/** The catalog's names of types that take something, and how people write them. `enum`: any type that is one. */
const TYPE_NAMES = {
  bool: "boolean",
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  numeric: "numeric",
  text: "text",
  varchar: "varchar(n)",
  bytea: "bytea",
  date: "date",
  time: "time(s)",
  timetz: "timetz(s)",
  timestamp: "timestamp(s)",
  timestamptz: "timestamptz(s)",
  interval: "interval(s)",
  uuid: "uuid",
  json: "json",
  jsonb: "jsonb",
  bit: "bit(n)",
  varbit: "bit varying(n)",
  enum: "an enum",
} as const;

type TypeName = keyof typeof TYPE_NAMES;

const asIs = (): Write => exactly.anything;
const TEXTS = { text: () => exactly.text, varchar: fitting } as const;
const INT64 = { int8: asIs, numeric: whole } as const;
const INT32 = { int4: asIs, ...INT64, float8: asIs } as const;
const NO_NUL = "texts that hold the character U+0000";
const NO_ZERO = "dates with a year, month or day of zero";
const NO_ZERO_NO_MORE = `${NO_ZERO}; in a column of fewer digits: those that have more`;

const sized = (name: string, size: number | null): string => (size === null ? name : `${name}(${size})`);
const text = (refuses: string | null): Rule => ({
  creates: "text",
  createdAs: () => "text",
  takes: {},
  refuses,
});
const simple = (name: string, takes: Rule["takes"], refuses: string | null = null): Rule => ({
  creates: name,
  createdAs: () => name,
  takes,
  refuses,
});
const scaled = (name: string, takes: Rule["takes"], refuses: string | null): Rule => ({
  creates: `${name}(s)`,
  createdAs: ({ scale }) => sized(name, scale),
  takes,
  refuses,
});

/** What becomes of each logical type of a primary that is no PostgreSQL: the one place that says so. */
const RULES: Readonly<Record<LogicalType, Rule>> = {
  boolean: simple("boolean", { bool: asIs }),
  int16: simple(
    "smallint",
    { int2: asIs, ...INT32, float4: asIs, bool: () => exactly.flag },
    "in a boolean: all but 0 and 1",
  ),
  int32: simple("integer", INT32),
  int64: simple("bigint", INT64),
  uint64: simple(
    "numeric(20,0)",
    { numeric: whole, int8: () => exactly.signed },
    "in a bigint: numbers above 2^63 - 1",
  ),
  float32: simple("real", { float4: asIs, float8: () => exactly.widened }),
  float64: simple("double precision", { float8: asIs }),
  decimal: {
    creates: "numeric(p,s)",
    createdAs: ({ precision, scale }) =>
      precision === null ? "numeric" : `numeric(${precision},${scale ?? 0})`,
    takes: { numeric: fraction },
    refuses: "in a column of fewer digits: those that have more",
  },
  string: {
    creates: "varchar(n), text where n is not said",
    createdAs: ({ maxLength }) =>
      maxLength === null || maxLength < 1 || maxLength > MAX_VARCHAR ? "text" : `varchar(${maxLength})`,
    takes: { json: () => exactly.text },
    refuses: NO_NUL,
  },
  bytes: simple("bytea", { bytea: asIs }),
  date: simple("date", { date: () => exactly.day }, NO_ZERO),
  time: scaled(
    "interval",
    { interval: exactly.span, time: exactly.clock },
    "in a time: what is no time of one day",
  ),
  timetz: scaled("timetz", { timetz: exactly.clock }, null),
  timestamp: scaled("timestamp", { timestamp: exactly.moment }, NO_ZERO_NO_MORE),
  timestamptz: scaled("timestamptz", { timestamptz: exactly.moment }, NO_ZERO_NO_MORE),
  interval: scaled("interval", { interval: exactly.span }, null),
  uuid: simple("uuid", { uuid: asIs }),
  json: simple(
    "json",
    { json: asIs, jsonb: () => exactly.document },
    "in a jsonb: -0 and the character U+0000",
  ),
  enum: { ...text(`${NO_NUL}; in an enum: what is none of its labels`), takes: { enum: asIs } },
  set: text(NO_NUL),
  bits: {
    creates: "bit(n)",
    createdAs: ({ maxLength }) => (maxLength === null ? "bit varying" : `bit(${maxLength})`),
    takes: { bit: exactly.sameBits, varbit: exactly.someBits },
    refuses: null,
  },
  array: text(null),
  geometry: text(null),
  vector: text(null),
  document: text(null),
  other: text(NO_NUL),
};

/** The rules as docs/types.md has them. */
export const POSTGRES_TYPE_RULES: readonly TypeRule[] = typedEntries(RULES).map(
  ([type, { creates, refuses }]) => ({
    type,
    creates,
    takes: takenBy(type).map(([name]) => TYPE_NAMES[name]),
    refuses,
    equal: null,
  }),
);

/** What a column of a table that is made gets. */
export function createdType(column: CommonColumn): string {
  return RULES[column.type].createdAs(column);
}

/** How a column that is there takes values of the primary's; null where they would not all arrive as they are. */
export function writeFor(type: LogicalType, target: TakenType): Write | null {
  const name = target.typeKind === "e" ? "enum" : target.typeSchema === "pg_catalog" ? target.typeName : "";
  return takenBy(type).find(([taken]) => taken === name)?.[1]?.(target) ?? null;
}

/** What can be written into a column of another type, in words; `timestamp(3)` for a column of that type. */
export function takenTypes(type: LogicalType): string {
  return takenBy(type)
    .map(([name]) => TYPE_NAMES[name])
    .join(", ");
}

/** A text keeps the canonical text of any value. */
function takenBy(type: LogicalType): [TypeName, (target: TakenType) => Write | null][] {
  return typedEntries<TypeName, (target: TakenType) => Write | null>({ ...RULES[type].takes, ...TEXTS });
}

function typedEntries<K extends string, V>(record: Readonly<Partial<Record<K, V>>>): [K, V][] {
  const keys: K[] = [];
  for (const key in record) keys.push(key);
  return keys.flatMap((key) => {
    const value = record[key];
    return value === undefined ? [] : [[key, value] satisfies [K, V]];
  });
}

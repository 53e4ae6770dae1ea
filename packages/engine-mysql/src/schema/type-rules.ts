import type { CommonColumn, LogicalType, TypeRule } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteText } from "../quoting.ts";
import { kindsTaking } from "../sink/literal.ts";
import { BYTES_A_CHARACTER } from "./created-type.ts";

/** Whose words a primary's native types are. */
export type Dialect = "postgres" | Flavour;

/** What is known of the place where a column is made. */
export interface TypePlace {
  readonly dialect: Dialect;
  readonly flavour: Flavour;
  readonly version: readonly [number, number, number];
  /** Bytes that it may have in keys; null: as many as it likes. */
  readonly room: number | null;
  /** It must not be part of its row, which would be too long. */
  readonly isOutside: boolean;
}

type Make = (column: CommonColumn, place: TypePlace) => string;

interface Rule {
  readonly make: Make;
  /** For the page. */
  readonly creates: string;
  readonly refuses?: string;
  readonly equal?: string;
  /** Whether it may have such values at all, as this type; default: it may. */
  readonly mayRefuse?: (type: string, place: TypePlace) => boolean;
}

/** Longer ones would leave no room for others in their row. */
const MAX_CHARACTERS = 16_000;
const MAX_BYTES = 60_000;
const LONGEST_INTERVAL = 255;
const LONGEST_TIMETZ = 64;
const LONGEST_LABEL = 63;
const LONGEST_ADDRESS = 45;
const MAX_DIGITS = 65;
const MAX_SCALE = 30;
const MAX_BITS = 64;
/** The first versions with a type: `major * 1000 + minor`. */
const WITH_UUID = 10_007;
const WITH_VECTOR: Readonly<Record<Flavour, number>> = { mysql: 9_000, mariadb: 11_007 };

const always =
  (type: string): Make =>
  () =>
    type;
const isOfFamily = ({ dialect }: TypePlace): boolean => dialect !== "postgres";
const isFromPostgres = (_: string, place: TypePlace): boolean => !isOfFamily(place);
/** The two flavours call it the same. */
const likeThere =
  (otherwise: Make): Make =>
  (column, place) =>
    isOfFamily(place) ? column.nativeType : otherwise(column, place);
const digits = (name: string, { scale }: CommonColumn): string => {
  const kept = scale ?? 6;
  return kept === 0 ? name : `${name}(${kept})`;
};

const textUpTo =
  (limitOf: (column: CommonColumn) => number | null): Make =>
  (column, { room, isOutside }) => {
    const limit = limitOf(column);
    const characters = room === null ? null : Math.floor(room / BYTES_A_CHARACTER);
    if (characters !== null) return `varchar(${Math.min(limit ?? characters, characters)})`;
    return limit === null || limit > MAX_CHARACTERS || isOutside ? "longtext" : `varchar(${limit})`;
  };
const text: Make = textUpTo(() => null);

const string: Make = textUpTo(({ maxLength, nativeType }) =>
  nativeType.startsWith("inet") ? LONGEST_ADDRESS : maxLength,
);

const bytes: Make = (column, { room, isOutside }) => {
  const { maxLength: limit, nativeType } = column;
  if (nativeType.startsWith("binary(")) return nativeType;
  if (room !== null) return `varbinary(${Math.min(limit ?? room, room)})`;
  return limit === null || limit > MAX_BYTES || isOutside ? "longblob" : `varbinary(${limit})`;
};

const decimal: Make = (column, place) => {
  const { precision, scale } = column;
  const fits =
    precision !== null &&
    scale !== null &&
    precision <= MAX_DIGITS &&
    scale >= 0 &&
    scale <= MAX_SCALE &&
    scale <= precision;
  if (!fits) return text(column, place);
  return isOfFamily(place) ? column.nativeType : `decimal(${precision},${scale})`;
};

const bits: Make = (column, place) => {
  const { maxLength, nativeType } = column;
  const isFixed = maxLength !== null && maxLength <= MAX_BITS && !nativeType.startsWith("bit varying");
  return isFixed ? `bit(${maxLength})` : textUpTo(() => maxLength)(column, place);
};

const labelled: Make = (column, place) => {
  const { labels, type } = column;
  // The catalog has a question mark for what it cannot say.
  const isKnown = isOfFamily(place) && labels?.some((label) => label.includes("?")) === false;
  if (isKnown) return `${type}(${labels.map(quoteText).join(",")})`;
  return type === "enum"
    ? textUpTo(() => (isOfFamily(place) ? null : LONGEST_LABEL))(column, place)
    : text(column, place);
};

/** What keeps the text: a document whose names come twice, or in an order of their own, is another in MySQL's. */
const json: Make = (column, place) => {
  const isOwn = place.flavour === "mysql" && place.room === null && column.nativeType !== "json";
  return isOwn ? "json" : text(column, place);
};

const isSince = ({ version: [major, minor] }: TypePlace, first: number): boolean =>
  major * 1000 + minor >= first;

const uuid: Make = (_, place) =>
  place.flavour === "mariadb" && isSince(place, WITH_UUID) ? "uuid" : "char(36)";

const vector: Make = (column, place) =>
  isOfFamily(place) && isSince(place, WITH_VECTOR[place.flavour]) ? column.nativeType : text(column, place);

const NO_LABEL = "in an enum: '' that is none of its labels, which an invalid value became";
const NO_NEGATIVE_ZERO = "in a float or double of MariaDB -0, as 0";
const NO_FINITE = "NaN, Infinity and -Infinity";
const NO_DATE = "what lies before 0001-01-01 or after 9999-12-31, infinity and -infinity";
const WHOLE_TEXT = "longtext; in a key: varchar(n), as long as the key may be";

const RULES: Readonly<Record<LogicalType, Rule>> = {
  boolean: { make: always("tinyint(1)"), creates: "tinyint(1)" },
  int16: { make: likeThere(always("smallint")), creates: "smallint; of the other flavour: the same" },
  int32: { make: likeThere(always("int")), creates: "int; of the other flavour: the same" },
  int64: { make: likeThere(always("bigint")), creates: "bigint; of the other flavour: the same" },
  uint64: { make: always("bigint unsigned"), creates: "bigint unsigned" },
  float32: {
    make: likeThere(always("float")),
    creates: "float",
    equal: NO_NEGATIVE_ZERO,
    refuses: NO_FINITE,
    mayRefuse: isFromPostgres,
  },
  float64: {
    make: likeThere(always("double")),
    creates: "double",
    equal: NO_NEGATIVE_ZERO,
    refuses: NO_FINITE,
    mayRefuse: isFromPostgres,
  },
  decimal: {
    make: decimal,
    creates: `decimal(p,s); without a limit, of more than ${MAX_DIGITS} digits or more than ${MAX_SCALE} behind the point: longtext`,
    refuses: "NaN",
    mayRefuse: (type, place) => type.startsWith("decimal") && !isOfFamily(place),
  },
  string: {
    make: string,
    creates: `varchar(n); without a limit, or with one above ${MAX_CHARACTERS}: ${WHOLE_TEXT}`,
  },
  bytes: {
    make: bytes,
    creates:
      "varbinary(n) or binary(n); without a limit: longblob; in a key: varbinary(n), as long as the key may be",
  },
  date: { make: always("date"), creates: "date", refuses: NO_DATE, mayRefuse: isFromPostgres },
  time: { make: (column) => digits("time", column), creates: "time(n)" },
  timetz: { make: textUpTo(() => LONGEST_TIMETZ), creates: `varchar(${LONGEST_TIMETZ})` },
  timestamp: {
    make: (column) => digits("datetime", column),
    creates: "datetime(n)",
    refuses: NO_DATE,
    mayRefuse: isFromPostgres,
  },
  timestamptz: {
    make: likeThere((column) => digits("datetime", column)),
    creates: "datetime(n), in UTC; of the other flavour: timestamp(n)",
    refuses: `${NO_DATE}; from MariaDB what lies after 2038-01-19 03:14:07 UTC`,
    mayRefuse: (_, { dialect }) => dialect !== "mysql",
  },
  interval: { make: textUpTo(() => LONGEST_INTERVAL), creates: `varchar(${LONGEST_INTERVAL})` },
  uuid: { make: uuid, creates: "char(36); in MariaDB since 10.7: uuid" },
  json: {
    make: json,
    creates: `json of what is jsonb; of what keeps its text, and in MariaDB: ${WHOLE_TEXT}`,
    refuses: "documents with a number that is neither an integer of 64 bits nor a double",
    mayRefuse: (type) => type === "json",
  },
  enum: {
    make: labelled,
    creates: `varchar(${LONGEST_LABEL}); of the other flavour: enum`,
    refuses: NO_LABEL,
    mayRefuse: () => false, // Said of each table, made or there (`findNoLabel`).
  },
  set: { make: labelled, creates: "set" },
  bits: { make: bits, creates: `bit(n); of more than ${MAX_BITS}, or varying: varchar(n) or longtext` },
  array: { make: text, creates: WHOLE_TEXT },
  geometry: { make: likeThere(text), creates: "geometry" },
  vector: {
    make: vector,
    creates: `vector(n), before MySQL 9.0 and MariaDB 11.7, and of PostgreSQL ${WHOLE_TEXT}`,
    refuses: "in MariaDB vectors of which the squares' sum is no number of 32 bits",
    mayRefuse: (type, { flavour }) => flavour === "mariadb" && type.startsWith("vector"),
  },
  document: { make: text, creates: WHOLE_TEXT },
  other: { make: text, creates: WHOLE_TEXT },
};

/** The type that a column gets where its table is created. */
export function createdType(column: CommonColumn, place: TypePlace): string {
  return RULES[column.type].make(column, place);
}

/** Values of it that halt a replica, in words; null: there are none. */
export function refusedValues(column: CommonColumn, type: string, place: TypePlace): string | null {
  const { refuses, mayRefuse } = RULES[column.type];
  return refuses !== undefined && (mayRefuse?.(type, place) ?? true) ? refuses : null;
}

/** The rules as docs/types.md has them. */
export const MYSQL_TYPE_RULES: readonly TypeRule[] = typedKeys(RULES).map((type) => {
  const { creates, refuses, equal } = RULES[type];
  return { type, creates, takes: kindsTaking(type), refuses: refuses ?? null, equal: equal ?? null };
});

function typedKeys<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  const keys: K[] = [];
  for (const key in record) keys.push(key);
  return keys;
}

/** Whose words a definition is in; nobody's we know: as far from ours as PostgreSQL's. */
export function dialectOf(name: string): Dialect {
  return name === "mysql" || name === "mariadb" ? name : "postgres";
}

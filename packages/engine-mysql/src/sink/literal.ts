import type { LogicalType } from "@lockstep/core";
import { quoteText } from "../quoting.ts";
import { isExactJson } from "./json-exact.ts";
import { labelsOf, TARGET_KINDS, targetKindOf, type CatalogColumn, type TargetKind } from "./target-type.ts";

/**
 * SQL for a value, which is the canonical text of the source's logical type, as the replica's column takes it. Throws
 * `UnfitValue` for what the server would change in silence, or what is no such text.
 */
export type Literal = (text: string) => string;

/** A value that a column cannot hold; says what is wrong, never the value (S1). */
export class UnfitValue extends Error {
  constructor(what: string) {
    super(what);
    this.name = "UnfitValue";
  }
}

type Logicals = Readonly<Partial<Record<LogicalType, (column: CatalogColumn) => Literal>>>;

const INTEGER = /^-?\d{1,20}$/;
const DECIMAL = /^-?\d+(?:\.\d+)?$/;
const FLOAT = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const BYTES = /^\\x((?:[0-9a-f]{2})*)$/;
const BITS = /^[01]{1,64}$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const MOMENT = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(\+00)?$/;
const TIME = /^(-?\d{2,3}:\d\d:\d\d)(?:\.(\d{1,6}))?$/;
const VECTOR = /^\[[\d.,e+-]*\]$/i;
const GEOMETRY = /^SRID=(\d+);([0-9a-f]+)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const INET = /^[0-9a-f.:]+$/i;

/** A number, never quoted: as a text it would be compared as a double. */
const integer: Literal = (text) => matching(text, INTEGER, "an integer");
const flag: Literal = (text) => (text === "t" ? "1" : text === "f" ? "0" : unfit("not a boolean"));
/** Quoted: as a bare number -0 would lose its sign. */
const float: Literal = (text) => `'${matching(text, FLOAT, "a finite number")}'`;
/** The float's exact value: its shortest text may be above the largest one, and as a double it is another number. */
const single: Literal = (text) => {
  const value = Math.fround(Number(matching(text, FLOAT, "a finite number")));
  return Object.is(value, -0) ? "'-0'" : `'${value}'`;
};
const text = ({ dataType }: CatalogColumn): Literal => (dataType === "char" ? unpadded : quoteText);
const quotedAs =
  (form: RegExp, what: string): Literal =>
  (value) =>
    `'${matching(value, form, what)}'`;

const INTEGERS: Logicals = {
  boolean: () => flag,
  int16: () => integer,
  int32: () => integer,
  int64: () => integer,
  uint64: () => integer,
  decimal: () => (value) => integer(withoutFraction(value, 0)),
};

const TEXTS: Logicals = {
  string: text,
  json: text,
  uuid: text,
  enum: text,
  set: text,
  interval: text,
  array: text,
  other: text,
  timetz: text,
  // Canonical text, digit by digit: also of what no other column of the replica could hold.
  decimal: text,
  float32: text,
  float64: text,
  bits: text,
  date: text,
  time: text,
  timestamp: text,
  timestamptz: text,
  geometry: text,
  vector: text,
  document: text,
};

/** Which logical types each kind of column takes, and how. */
const WRITERS: Readonly<Record<TargetKind, Logicals>> = {
  integer: INTEGERS,
  year: { int16: () => integer, int32: () => integer },
  decimal: {
    ...INTEGERS,
    decimal:
      ({ scale }) =>
      (value) =>
        withoutFraction(matching(value, DECIMAL, "a finite number"), scale),
  },
  float: { float32: () => single, int16: () => float },
  double: { float32: () => float, float64: () => float, int16: () => float, int32: () => float },
  bit: { bits: () => (value) => `b'${matching(value, BITS, "bits")}'`, boolean: () => flag },
  text: TEXTS,
  bytes: {
    bytes: bytesOf,
    uuid: () => (value) => `X'${matching(value, UUID, "a uuid").replaceAll("-", "")}'`,
  },
  date: { date: () => quotedAs(DATE, "a date from 0000 to 9999") },
  time: {
    time:
      ({ scale }) =>
      (value) =>
        clock(value, TIME, scale),
  },
  datetime: {
    timestamp:
      ({ scale }) =>
      (value) =>
        clock(value, MOMENT, scale),
    timestamptz:
      ({ scale }) =>
      (value) =>
        clock(value, MOMENT, scale),
  },
  timestamp: {
    timestamptz:
      ({ scale }) =>
      (value) =>
        clock(value, MOMENT, scale),
  },
  enum: { enum: oneLabel, string: oneLabel },
  set: { set: someLabels, string: someLabels },
  json: { json: () => document },
  uuid: { uuid: () => quotedAs(UUID, "a uuid"), string: () => quotedAs(UUID, "a uuid") },
  inet: { string: () => quotedAs(INET, "an address"), other: () => quotedAs(INET, "an address") },
  vector: { vector: () => vector },
  geometry: { geometry: () => geometry },
};

/** How a column is written; null where nothing proves that its values would arrive equal. */
export function literalFor(type: LogicalType, column: CatalogColumn): Literal | null {
  const kind = targetKindOf(column);
  return kind === null ? null : (WRITERS[kind][type]?.(column) ?? null);
}

/** The kinds of columns that take a logical type, in the words of a page. */
export function kindsTaking(type: LogicalType): TargetKind[] {
  const kinds: TargetKind[] = [];
  for (const kind of TARGET_KINDS) if (WRITERS[kind][type] !== undefined) kinds.push(kind);
  return kinds;
}

/** How a value is compared with a column of a key. */
export function comparisonFor(literal: Literal, column: CatalogColumn): Literal {
  const kind = targetKindOf(column);
  // As numbers: a text that is compared with a number is one only where the server thinks of it.
  if (kind === "float" || kind === "double") return (value) => `(${literal(value)} + 0e0)`;
  return kind === "bit" ? (value) => `cast(${literal(value)} as unsigned)` : literal;
}

function matching(value: string, form: RegExp, what: string): string {
  return form.test(value) ? value : unfit(`not ${what}`);
}

function unfit(what: string): never {
  throw new UnfitValue(what);
}

/** The server rounds what has more digits than the column, and says nothing of it. */
function withoutFraction(value: string, scale: number): string {
  const point = value.indexOf(".");
  if (point < 0 || value.length - point - 1 <= scale) return value;
  const kept = value.replace(/0+$/, "");
  if (kept.length - point - 1 > scale) unfit(`more than ${scale} digits behind the point`);
  return kept.endsWith(".") ? kept.slice(0, -1) : kept;
}

function clock(value: string, form: RegExp, scale: number): string {
  const [, whole, digits = ""] = form.exec(value) ?? [];
  if (whole === undefined) return unfit("not a time that it can hold");
  const kept = digits.replace(/0+$/, "");
  if (kept.length > scale) return unfit(`more than ${scale} digits of a second`);
  return kept === "" ? `'${whole}'` : `'${whole}.${kept}'`;
}

/** The server would round a number that is neither an integer of 64 bits nor a double. */
function document(value: string): string {
  return isExactJson(value) ? quoteText(value) : unfit("a document with a number that it cannot hold");
}

/** A BINARY of fixed length is filled up with zeros in silence. */
function bytesOf({ dataType, columnType }: CatalogColumn): Literal {
  const length = dataType === "binary" ? Number(/\d+/.exec(columnType)?.[0]) : null;
  return (value) => {
    const [, hex] = BYTES.exec(value) ?? [];
    if (hex === undefined) return unfit("not bytes");
    if (length !== null && hex.length !== length * 2) return unfit(`not ${length} bytes`);
    return `X'${hex}'`;
  };
}

/** A CHAR loses spaces at its end in silence. */
function unpadded(value: string): string {
  return value.endsWith(" ")
    ? unfit("a text that ends with spaces, which a CHAR does not keep")
    : quoteText(value);
}

/** The server's own form: floats of 4 bytes, the lowest first. */
function vector(value: string): string {
  const numbers = matching(value, VECTOR, "a vector").slice(1, -1).split(",");
  const packed = Buffer.alloc(numbers.length * 4);
  for (const [index, number] of numbers.entries())
    packed.writeFloatLE(Number(matching(number, FLOAT, "a vector")), index * 4);
  return `X'${packed.toString("hex")}'`;
}

/** The server's own form: SRID in 4 bytes, the lowest first, then WKB. */
function geometry(value: string): string {
  const [, srid = "", wkb] = GEOMETRY.exec(value) ?? [];
  if (wkb === undefined) return unfit("not a geometry");
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(Number(srid));
  return `X'${prefix.toString("hex")}${wkb}'`;
}

/** A text that is no label would be taken for a label's number. */
function oneLabel({ columnType }: CatalogColumn): Literal {
  const labels = new Set(labelsOf(columnType));
  return (value) => (labels.has(value) ? quoteText(value) : unfit("not one of its labels"));
}

function someLabels({ columnType }: CatalogColumn): Literal {
  const labels = new Set(labelsOf(columnType));
  return (value) => {
    const isKnown = value === "" || value.split(",").every((label) => labels.has(label));
    return isKnown ? quoteText(value) : unfit("not only labels of it");
  };
}

import type { Flavour } from "../flavour.ts";
import { TYPE, type MappedColumn } from "./column-type.ts";
import type { Cursor } from "./cursor.ts";

/*
 * Optional metadata of a table map, as many fields as there are: Int8 kind  packed length  value. Which columns
 * a value is about is said by their types, in the order of the table:
 *
 *      1  signedness         of numeric columns: a bit each, highest first, set where unsigned
 *      2  default charset    of character columns: packed collation, then the others: packed index, packed collation
 *      3  column charsets    of character columns: packed collation each
 *      4  names              of all columns: packed length and UTF-8 each
 *      5  labels of sets     of SETs: packed number, and for each label packed length and bytes
 *      6  labels of enums    as 5
 *      7  geometry types     of GEOMETRY columns: packed each
 *      8  primary key        packed index each
 *      9  primary key        with prefixes: packed index, packed length each
 *     10  as 2, of ENUMs and SETs       11  as 3, of ENUMs and SETs
 *     12  visibility         a bit each, not needed
 *     13  dimensions         of VECTOR columns: packed each
 */
export interface OptionalMetadata {
  /** Indexes of columns; empty without one. */
  readonly key: readonly number[];
  readonly hasNames: boolean;
}

/** Reads to the cursor's end, and notes in `columns` what it finds. */
export function readOptionalMetadata(
  cursor: Cursor,
  columns: readonly MappedColumn[],
  flavour: Flavour,
): OptionalMetadata {
  const of = groupsOf(columns, flavour);
  const key: number[] = [];
  let hasNames = false;
  while (cursor.left > 0) {
    const kind = cursor.uint8();
    const length = cursor.packed();
    const end = cursor.take(length) + length;
    cursor.at = end - length;
    switch (kind) {
      case 1:
        signedness(cursor, of.numeric);
        break;
      case 2:
      case 10:
        defaultCollation(cursor, end, kind === 2 ? of.character : of.labelled);
        break;
      case 3:
      case 11:
        for (const column of kind === 3 ? of.character : of.labelled) column.collation = cursor.packed();
        break;
      case 4:
        for (const column of columns) column.name = cursor.utf8(cursor.packed());
        hasNames = true;
        break;
      case 5:
      case 6:
        for (const column of kind === 5 ? of.sets : of.enums) column.labels = readLabels(cursor);
        break;
      case 7:
        for (const column of of.geometries) column.geometryType = cursor.packed();
        break;
      case 8:
      case 9:
        readKey(cursor, end, { into: key, columns: columns.length, hasPrefixes: kind === 9 });
        break;
      case 13:
        for (const column of of.vectors) column.dimensions = cursor.packed();
        break;
      default:
        cursor.at = end;
    }
    if (cursor.at !== end) throw new RangeError(`metadata of kind ${kind} has another length`);
  }
  return { key, hasNames };
}

interface Groups {
  readonly numeric: readonly MappedColumn[];
  readonly character: readonly MappedColumn[];
  readonly labelled: readonly MappedColumn[];
  readonly enums: readonly MappedColumn[];
  readonly sets: readonly MappedColumn[];
  readonly geometries: readonly MappedColumn[];
  readonly vectors: readonly MappedColumn[];
}

const NUMERIC: ReadonlySet<number> = new Set([
  TYPE.TINY,
  TYPE.SHORT,
  TYPE.INT24,
  TYPE.LONG,
  TYPE.LONGLONG,
  TYPE.FLOAT,
  TYPE.DOUBLE,
  TYPE.NEWDECIMAL,
  TYPE.YEAR,
]);

const CHARACTER: ReadonlySet<number> = new Set([
  TYPE.STRING,
  TYPE.VARCHAR,
  TYPE.BLOB,
  TYPE.VARCHAR_COMPRESSED,
  TYPE.BLOB_COMPRESSED,
]);

function groupsOf(columns: readonly MappedColumn[], flavour: Flavour): Groups {
  const ofType = (type: number): MappedColumn[] => columns.filter((column) => column.type === type);
  // MySQL counts vectors as text in the binary charset, MariaDB geometries.
  const alsoCharacter = flavour === "mysql" ? TYPE.VECTOR : TYPE.GEOMETRY;
  return {
    numeric: columns.filter(({ type }) => NUMERIC.has(type)),
    character: columns.filter(({ type }) => CHARACTER.has(type) || type === alsoCharacter),
    labelled: columns.filter(({ type }) => type === TYPE.ENUM || type === TYPE.SET),
    enums: ofType(TYPE.ENUM),
    sets: ofType(TYPE.SET),
    geometries: ofType(TYPE.GEOMETRY),
    vectors: ofType(TYPE.VECTOR),
  };
}

function signedness(cursor: Cursor, numeric: readonly MappedColumn[]): void {
  let bits = 0;
  numeric.forEach((column, index) => {
    if (index % 8 === 0) bits = cursor.uint8();
    column.isUnsigned = ((bits >> (7 - (index % 8))) & 1) !== 0;
  });
}

function defaultCollation(cursor: Cursor, end: number, columns: readonly MappedColumn[]): void {
  const collation = cursor.packed();
  for (const column of columns) column.collation = collation;
  while (cursor.at < end) {
    const column = columns[cursor.packed()];
    if (column === undefined) throw new RangeError("a charset of no column");
    column.collation = cursor.packed();
  }
}

function readLabels(cursor: Cursor): Buffer[] {
  const count = cursor.packed();
  if (count > cursor.left) throw new RangeError("more labels than bytes");
  // The event's buffer is not ours to keep.
  return Array.from({ length: count }, () => Buffer.from(cursor.slice(cursor.packed())));
}

function readKey(
  cursor: Cursor,
  end: number,
  {
    into,
    columns,
    hasPrefixes,
  }: { readonly into: number[]; readonly columns: number; readonly hasPrefixes: boolean },
): void {
  while (cursor.at < end) {
    const index = cursor.packed();
    if (index >= columns) throw new RangeError("a primary key of no column");
    into.push(index);
    if (hasPrefixes) cursor.packed();
  }
}

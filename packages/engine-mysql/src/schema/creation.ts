import type { CommonColumn, CommonTable } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../quoting.ts";
import { createdDefault } from "./created-default.ts";
import { foreignKeysOf, keysOf } from "./created-keys.ts";
import { COLLATIONS, isText } from "./created-type.ts";
import { MAX_INDEX_COLUMNS } from "./key-room.ts";
import { typesOf, type CreationPlace } from "./table-types.ts";
import { refusedValues } from "./type-rules.ts";

/** Columns of a table at most (InnoDB). */
const MAX_COLUMNS = 1017;
const MAX_NAME = 64;

/** What a table of another engine becomes. */
export interface Creation {
  /** Native types, by column. */
  readonly types: ReadonlyMap<string, string>;
  /** `create table …`; the foreign keys are apart, since a table that is there already may not take them. */
  readonly statement: string;
  readonly withForeignKeys: string;
  /** What the primary's table has, and this one has not. */
  readonly leftOut: readonly string[];
  /** Values that halt the replica, in words, with the columns that may have them. */
  readonly refuses: ReadonlyMap<string, readonly string[]>;
  /** Columns of keys that are shorter than the primary's, with their length. */
  readonly shortened: ReadonlyMap<string, number>;
  /** Why there cannot be such a table; null: there can. */
  readonly refused: string | null;
}

export function creationOf(table: CommonTable, place: CreationPlace): Creation {
  const { types, rooms, fitsPage } = typesOf(table, place);
  const leftOut = [...table.leftOut];
  const identity = identityOf(table, leftOut);
  const columns = table.columns.map((column) =>
    [
      quoteIdentifier(column.name),
      columnSql(column, types.get(column.name) ?? "", {
        place,
        isIdentity: column.name === identity,
        leftOut,
      }),
    ].join(" "),
  );
  const keys = keysOf(table, types, leftOut);
  const foreignKeys = foreignKeysOf(table, types, { place, leftOut });
  const sql = (parts: readonly string[]): string =>
    `create table if not exists ${quoteTable(table)} (\n  ${parts.join(",\n  ")}\n) engine = InnoDB row_format = dynamic default character set utf8mb4 collate ${COLLATIONS[place.flavour]}`;
  return {
    types,
    statement: sql([...columns, ...keys]),
    withForeignKeys: sql([...columns, ...keys, ...foreignKeys]),
    leftOut,
    refuses: refusedOf(table, types, place),
    shortened: shortenedOf(table, types, rooms),
    refused: whyRefused(table, rooms, fitsPage),
  };
}

/** One column counts, and only one that begins a key. */
function identityOf(
  { columns, primaryKey, uniques, indexes }: CommonTable,
  leftOut: string[],
): string | null {
  const first = new Set([primaryKey?.[0], ...[...uniques, ...indexes].map((index) => index.columns[0])]);
  let found: string | null = null;
  for (const { name, isIdentity, type } of columns) {
    if (!isIdentity) continue;
    const canCount = /^u?int\d+$/.test(type) && first.has(name) && found === null;
    if (canCount) found = name;
    else leftOut.push(`numbers for column ${quoteIdentifier(name)} by itself`);
  }
  return found;
}

interface ColumnContext {
  readonly place: CreationPlace;
  readonly isIdentity: boolean;
  readonly leftOut: string[];
}

/** What stands behind its name. */
export function columnSql(
  column: CommonColumn,
  type: string,
  { place, isIdentity, leftOut }: ColumnContext,
): string {
  const collation = isText(type) ? ` character set utf8mb4 collate ${COLLATIONS[place.flavour]}` : "";
  const nullable = column.isNullable ? " null" : " not null";
  if (isIdentity) return `${type} not null auto_increment`;
  const value = createdDefault(column, type);
  if (value === null && column.default !== null)
    leftOut.push(`default of column ${quoteIdentifier(column.name)}: ${wordsOf(column)}`);
  return `${type}${collation}${nullable}${value === null ? "" : ` default ${value}`}`;
}

function wordsOf({ default: value }: CommonColumn): string {
  return value?.kind === "value" ? value.text : "now";
}

function refusedOf(
  { columns }: CommonTable,
  types: ReadonlyMap<string, string>,
  place: CreationPlace,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const column of columns) {
    const type = types.get(column.name) ?? "";
    const words = refusedValues(column, type, { ...place, room: null, isOutside: false });
    if (words !== null) found.set(words, [...(found.get(words) ?? []), column.name]);
  }
  return found;
}

/** Columns of keys that are shorter than the primary's, with how long they are. */
function shortenedOf(
  { columns }: CommonTable,
  types: ReadonlyMap<string, string>,
  rooms: ReadonlyMap<string, number> | null,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const { name, maxLength } of columns) {
    const [, digits] = /^var\w+\((\d+)\)/.exec(types.get(name) ?? "") ?? [];
    const length = Number(digits);
    if (rooms?.has(name) === true && (maxLength === null || maxLength > length)) found.set(name, length);
  }
  return found;
}

function whyRefused(
  { schema, name, columns, primaryKey, uniques, indexes }: CommonTable,
  rooms: unknown,
  fitsPage: boolean,
): string | null {
  if (columns.length > MAX_COLUMNS)
    return `a table has ${MAX_COLUMNS} columns at most, and it has ${columns.length}`;
  if ((primaryKey?.length ?? 0) > MAX_INDEX_COLUMNS) return `a key has ${MAX_INDEX_COLUMNS} columns at most`;
  if (rooms === null) return "its keys are longer than an index may be";
  if (!fitsPage) return `a row of its ${columns.length} columns has no room in a page`;
  const names = [
    schema,
    name,
    ...columns.map((column) => column.name),
    ...[...uniques, ...indexes].map((index) => index.name),
  ];
  const bad = names.find(
    (one) => Array.from(one).length > MAX_NAME || /\s$|[\u{10000}-\u{10ffff}\0]/u.test(one),
  );
  if (bad !== undefined) return `${JSON.stringify(bad)} cannot be a name there`;
  const lower = columns.map((column) => column.name.toLowerCase());
  const twice = lower.find((one, index) => lower.indexOf(one) !== index);
  return twice === undefined ? null : `columns called ${twice} differ in their case alone`;
}

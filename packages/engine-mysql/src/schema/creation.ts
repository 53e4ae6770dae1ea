import {
  tableKey,
  tableLabel,
  type CommonColumn,
  type CommonForeignKey,
  type CommonTable,
} from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../quoting.ts";
import type { Server } from "../server.ts";
import { createdDefault } from "./created-default.ts";
import {
  BYTES_A_CHARACTER,
  COLLATIONS,
  indexBytesOf,
  isText,
  MAX_ROW_BYTES,
  rowBytesOf,
} from "./created-type.ts";
import { MAX_INDEX_COLUMNS, roomsOf, sharesOf } from "./key-room.ts";
import { createdType, refusedValues, type Dialect, type TypePlace } from "./type-rules.ts";

/** Columns of a table at most (InnoDB). */
const MAX_COLUMNS = 1017;
const MAX_NAME = 64;

export interface CreationPlace extends Pick<Server, "flavour" | "version"> {
  /** Whose words the primary's native types are. */
  readonly dialect: Dialect;
  /** The tables that come together, by `tableKey`: foreign keys to these are made. */
  readonly together: ReadonlyMap<string, CommonTable>;
}

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
  const { types, rooms } = typesOf(table, place);
  const leftOut = [...table.leftOut];
  const identity = identityOf(table, leftOut);
  const columns = table.columns.map((column) =>
    columnSql(column, types.get(column.name) ?? "", { place, isIdentity: column.name === identity, leftOut }),
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
    refused: whyRefused(table, rooms),
  };
}

interface Types {
  readonly types: ReadonlyMap<string, string>;
  /** Null: the keys have no room. */
  readonly rooms: ReadonlyMap<string, number> | null;
}

function typesOf(table: CommonTable, { dialect, flavour, version, together }: CreationPlace): Types {
  const place: TypePlace = { dialect, flavour, version, room: null, isOutside: false };
  const types = new Map(table.columns.map((column) => [column.name, createdType(column, place)]));
  const foreignKeys = table.foreignKeys.filter((key) => together.has(tableKey(key.references)));
  const rooms = roomsOf({ ...table, foreignKeys }, (name) => types.get(name) ?? "");
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  for (const [name, room] of rooms ?? []) {
    const column = byName.get(name);
    if (column !== undefined) types.set(name, createdType(column, { ...place, room }));
  }
  makeRoomInRow(table, types, (column) => createdType(column, { ...place, isOutside: true }));
  return { types, rooms };
}

/** The longest texts and bytes that are in no key leave the row, until the others have room. */
function makeRoomInRow(
  { columns, primaryKey, uniques, foreignKeys }: CommonTable,
  types: Map<string, string>,
  outside: (column: CommonColumn) => string,
): void {
  const keyed = new Set([primaryKey ?? [], ...[...uniques, ...foreignKeys].map((key) => key.columns)].flat());
  const sizeOf = (name: string): number => rowBytesOf(types.get(name) ?? "");
  const longest = columns
    .filter(({ name }) => !keyed.has(name) && /^var/.test(types.get(name) ?? ""))
    .toSorted((left, right) => sizeOf(right.name) - sizeOf(left.name));
  let bytes = columns.reduce((sum, { name }) => sum + sizeOf(name), 0);
  for (const column of longest) {
    if (bytes <= MAX_ROW_BYTES) return;
    bytes -= sizeOf(column.name);
    types.set(column.name, outside(column));
    bytes += sizeOf(column.name);
  }
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

function columnSql(
  column: CommonColumn,
  type: string,
  { place, isIdentity, leftOut }: ColumnContext,
): string {
  const name = quoteIdentifier(column.name);
  const collation = isText(type) ? ` character set utf8mb4 collate ${COLLATIONS[place.flavour]}` : "";
  const nullable = column.isNullable ? " null" : " not null";
  if (isIdentity) return `${name} ${type} not null auto_increment`;
  const value = createdDefault(column, type);
  if (value === null && column.default !== null)
    leftOut.push(`default of column ${name}: ${wordsOf(column)}`);
  return `${name} ${type}${collation}${nullable}${value === null ? "" : ` default ${value}`}`;
}

function wordsOf({ default: value }: CommonColumn): string {
  return value?.kind === "value" ? value.text : "now";
}

function keysOf(table: CommonTable, types: ReadonlyMap<string, string>, leftOut: string[]): string[] {
  const { primaryKey, uniques, indexes } = table;
  const typeOf = (name: string): string => types.get(name) ?? "";
  const keys = primaryKey === null ? [] : [`primary key ${listOf(primaryKey)}`];
  for (const { name, columns } of uniques) {
    if (columns.length <= MAX_INDEX_COLUMNS) keys.push(`unique key ${indexName(name)} ${listOf(columns)}`);
    else leftOut.push(`unique index ${quoteIdentifier(name)} of ${columns.length} columns`);
  }
  for (const { name, columns } of indexes) {
    const parts = indexParts(columns, typeOf);
    if (parts === null) leftOut.push(`index ${quoteIdentifier(name)} ${listOf(columns)}`);
    else keys.push(`key ${indexName(name)} (${parts.join(", ")})`);
  }
  return keys;
}

/** The beginnings of what is too long; null where a column has none. */
function indexParts(columns: readonly string[], typeOf: (name: string) => string): string[] | null {
  if (columns.length > MAX_INDEX_COLUMNS) return null;
  const shares = sharesOf(columns, typeOf);
  const parts: string[] = [];
  for (const column of columns) {
    const share = shares.get(column);
    const type = typeOf(column);
    if (/^(?:json|geometry|vector|\w*point|\w*linestring|\w*polygon|geom)/.test(type)) return null;
    const beginning =
      share === undefined ? "" : `(${Math.floor(share / (isText(type) ? BYTES_A_CHARACTER : 1))})`;
    parts.push(quoteIdentifier(column) + beginning);
  }
  return parts;
}

/** The server has a use for that name itself. */
function indexName(name: string): string {
  return quoteIdentifier(name.toLowerCase() === "primary" ? `${name}_` : name);
}

interface ForeignKeyContext {
  readonly place: CreationPlace;
  readonly leftOut: string[];
}

function foreignKeysOf(
  table: CommonTable,
  types: ReadonlyMap<string, string>,
  { place, leftOut }: ForeignKeyContext,
): string[] {
  return table.foreignKeys.flatMap((key) => {
    const parent = place.together.get(tableKey(key.references));
    const why =
      parent === undefined ? "the table is not replicated" : whyNoForeignKey(key, types, { parent, place });
    if (why === null) return [foreignKeySql(table, key, place)];
    leftOut.push(`foreign key ${quoteIdentifier(key.name)} to ${tableLabel(key.references)}: ${why}`);
    return [];
  });
}

function whyNoForeignKey(
  { columns, referencedColumns, onDelete, onUpdate }: CommonForeignKey,
  types: ReadonlyMap<string, string>,
  { parent, place }: { readonly parent: CommonTable; readonly place: CreationPlace },
): string | null {
  if (onDelete === "set default" || onUpdate === "set default") return "there is no set default";
  const wanted = JSON.stringify(referencedColumns.toSorted());
  const keys = [parent.primaryKey ?? [], ...parent.uniques.map((unique) => unique.columns)];
  if (!keys.some((key) => JSON.stringify(key.toSorted()) === wanted)) return "it has no such key";
  const parents = typesOf(parent, place).types;
  const isSame = columns.every((name, index) => {
    const [child, other] = [types.get(name) ?? "", parents.get(referencedColumns[index] ?? "") ?? ""];
    const isVariable = /^var(?:char|binary)/.exec(child)?.[0];
    return (
      Number.isFinite(indexBytesOf(child)) &&
      (isVariable === undefined ? child === other : other.startsWith(isVariable))
    );
  });
  return isSame ? null : "its columns are of other types";
}

/** MySQL's names of foreign keys are a database's own, and another table's may be the same. */
function foreignKeySql({ schema }: CommonTable, key: CommonForeignKey, { together }: CreationPlace): string {
  const { name, columns, references, referencedColumns, onDelete, onUpdate } = key;
  const isSame = (other: CommonForeignKey): boolean => other.name.toLowerCase() === name.toLowerCase();
  const sharing = [...together.values()].filter(
    (table) => table.schema === schema && table.foreignKeys.some(isSame),
  );
  const named = sharing.length > 1 ? "" : `constraint ${quoteIdentifier(name)} `;
  return `${named}foreign key ${listOf(columns)} references ${quoteTable(references)} ${listOf(referencedColumns)} on delete ${onDelete} on update ${onUpdate}`;
}

function listOf(columns: readonly string[]): string {
  return `(${columns.map(quoteIdentifier).join(", ")})`;
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
): string | null {
  if (columns.length > MAX_COLUMNS)
    return `a table has ${MAX_COLUMNS} columns at most, and it has ${columns.length}`;
  if ((primaryKey?.length ?? 0) > MAX_INDEX_COLUMNS) return `a key has ${MAX_INDEX_COLUMNS} columns at most`;
  if (rooms === null) return "its keys are longer than an index may be";
  const names = [
    schema,
    name,
    ...columns.map((column) => column.name),
    ...[...uniques, ...indexes].map((index) => index.name),
  ];
  const bad = names.find((one) => [...one].length > MAX_NAME || /\s$|[\u{10000}-\u{10ffff}\0]/u.test(one));
  if (bad !== undefined) return `${JSON.stringify(bad)} cannot be a name there`;
  const lower = columns.map((column) => column.name.toLowerCase());
  const twice = lower.find((one, index) => lower.indexOf(one) !== index);
  return twice === undefined ? null : `columns called ${twice} differ in their case alone`;
}

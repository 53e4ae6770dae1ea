import { tableKey, type CommonColumn, type CommonTable } from "@lockstep/core";
import type { Server } from "../server.ts";
import { MAX_PAGE_BYTES, MAX_ROW_BYTES, pageBytesOf, rowBytesOf } from "./created-type.ts";
import { roomsOf } from "./key-room.ts";
import { createdType, type Dialect, type TypePlace } from "./type-rules.ts";

export interface CreationPlace extends Pick<Server, "flavour" | "version"> {
  /** Whose words the primary's native types are. */
  readonly dialect: Dialect;
  /** The tables that come together, by `tableKey`: foreign keys to these are made. */
  readonly together: ReadonlyMap<string, CommonTable>;
}

/** What each column of a table becomes. */
export interface TableTypes {
  readonly types: ReadonlyMap<string, string>;
  /** Null: the keys have no room. */
  readonly rooms: ReadonlyMap<string, number> | null;
  /** False: a row has no room in a page, however short its values are. */
  readonly fitsPage: boolean;
}

/** Of each row, for the server itself; and without a key of the table's own. */
const OWN_BYTES = 18;
const OWN_KEY_BYTES = 6;

export function typesOf(
  table: CommonTable,
  { dialect, flavour, version, together }: CreationPlace,
): TableTypes {
  const place: TypePlace = { dialect, flavour, version, room: null, isOutside: false };
  const types = new Map(table.columns.map((column) => [column.name, createdType(column, place)]));
  const foreignKeys = table.foreignKeys.filter((key) => together.has(tableKey(key.references)));
  const rooms = roomsOf({ ...table, foreignKeys }, (name) => types.get(name) ?? "");
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  for (const [name, room] of rooms ?? []) {
    const column = byName.get(name);
    if (column !== undefined) types.set(name, createdType(column, { ...place, room }));
  }
  const outside = (column: CommonColumn): string => createdType(column, { ...place, isOutside: true });
  makeRoom(table, types, { outside, sizeOf: rowBytesOf, most: MAX_ROW_BYTES });
  const [sizeOf, most] = [(type: string) => pageBytesOf(type, flavour), pageRoomOf(table)];
  makeRoom(table, types, { outside, sizeOf, most });
  return { types, rooms, fitsPage: [...types.values()].reduce((sum, type) => sum + sizeOf(type), 0) <= most };
}

function pageRoomOf({ columns, primaryKey }: CommonTable): number {
  const nullBits = columns.filter(({ isNullable }) => isNullable).length;
  return MAX_PAGE_BYTES - OWN_BYTES - Math.ceil(nullBits / 8) - (primaryKey === null ? OWN_KEY_BYTES : 0);
}

interface Room {
  /** What a column is that must not be part of its row. */
  readonly outside: (column: CommonColumn) => string;
  readonly sizeOf: (type: string) => number;
  readonly most: number;
}

/** The longest texts and bytes that are in no key leave the row, until the others have room. */
function makeRoom(
  { columns, primaryKey, uniques, foreignKeys }: CommonTable,
  types: Map<string, string>,
  { outside, sizeOf, most }: Room,
): void {
  const keyed = new Set([primaryKey ?? [], ...[...uniques, ...foreignKeys].map((key) => key.columns)].flat());
  const size = (name: string): number => sizeOf(types.get(name) ?? "");
  const longest = columns
    .filter(({ name }) => !keyed.has(name) && types.get(name)?.startsWith("var") === true)
    .toSorted((left, right) => size(right.name) - size(left.name));
  let bytes = columns.reduce((sum, { name }) => sum + size(name), 0);
  for (const column of longest) {
    if (bytes <= most) return;
    const [before, type] = [size(column.name), outside(column)];
    if (sizeOf(type) >= before) return; // The others are shorter still.
    types.set(column.name, type);
    bytes += sizeOf(type) - before;
  }
}

import { tableKey, type CommonColumn, type CommonTable } from "@lockstep/core";
import type { Server } from "../server.ts";
import { MAX_ROW_BYTES, rowBytesOf } from "./created-type.ts";
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
}

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
    .filter(({ name }) => !keyed.has(name) && types.get(name)?.startsWith("var") === true)
    .toSorted((left, right) => sizeOf(right.name) - sizeOf(left.name));
  let bytes = columns.reduce((sum, { name }) => sum + sizeOf(name), 0);
  for (const column of longest) {
    if (bytes <= MAX_ROW_BYTES) return;
    bytes -= sizeOf(column.name);
    types.set(column.name, outside(column));
    bytes += sizeOf(column.name);
  }
}

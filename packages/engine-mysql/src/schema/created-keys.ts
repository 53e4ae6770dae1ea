import {
  tableKey,
  tableLabel,
  type CommonForeignKey,
  type CommonIndex,
  type CommonTable,
} from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../quoting.ts";
import { BYTES_A_CHARACTER, indexBytesOf, isText } from "./created-type.ts";
import { MAX_INDEX_COLUMNS, sharesOf } from "./key-room.ts";
import { typesOf, type CreationPlace } from "./table-types.ts";

/** Keys and indexes; what cannot be is left out. */
export function keysOf(table: CommonTable, types: ReadonlyMap<string, string>, leftOut: string[]): string[] {
  const { primaryKey, uniques, indexes } = table;
  const typeOf = (name: string): string => types.get(name) ?? "";
  const keys = primaryKey === null ? [] : [`primary key ${listOf(primaryKey)}`];
  for (const { name, columns, descending } of uniques) {
    const parts = columns.map((column) => quoteIdentifier(column) + orderOf(column, descending));
    if (columns.length <= MAX_INDEX_COLUMNS) keys.push(`unique key ${indexName(name)} (${parts.join(", ")})`);
    else leftOut.push(`unique index ${quoteIdentifier(name)} of ${columns.length} columns`);
  }
  for (const index of indexes) {
    const parts = indexParts(index, typeOf);
    if (parts === null) leftOut.push(`index ${quoteIdentifier(index.name)} ${listOf(index.columns)}`);
    else keys.push(`key ${indexName(index.name)} (${parts.join(", ")})`);
  }
  return keys;
}

/** The beginnings of what is too long; null where a column has none. */
function indexParts({ columns, descending }: CommonIndex, typeOf: (name: string) => string): string[] | null {
  if (columns.length > MAX_INDEX_COLUMNS) return null;
  const shares = sharesOf(columns, typeOf);
  const parts: string[] = [];
  for (const column of columns) {
    const share = shares.get(column);
    const type = typeOf(column);
    if (/^(?:json|geometry|vector|\w*point|\w*linestring|\w*polygon|geom)/.test(type)) return null;
    const beginning =
      share === undefined ? "" : `(${Math.floor(share / (isText(type) ? BYTES_A_CHARACTER : 1))})`;
    parts.push(quoteIdentifier(column) + beginning + orderOf(column, descending));
  }
  return parts;
}

function orderOf(column: string, descending: readonly string[]): string {
  return descending.includes(column) ? " desc" : "";
}

/** The server has a use for that name itself. */
function indexName(name: string): string {
  return quoteIdentifier(name.toLowerCase() === "primary" ? `${name}_` : name);
}

interface ForeignKeyContext {
  readonly place: CreationPlace;
  readonly leftOut: string[];
}

/** Foreign keys to tables that come, too; others are left out. */
export function foreignKeysOf(
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

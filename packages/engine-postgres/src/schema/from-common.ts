import {
  tableKey,
  tableLabel,
  type CommonColumn,
  type CommonForeignKey,
  type CommonIndex,
  type CommonTable,
} from "@lockstep/core";
import { quoteIdentifier, quoteLiteral, quoteTable } from "../connection.ts";
import { constraintName, indexName, MAX_NAME_BYTES } from "./common-names.ts";
import type { ColumnDefinition, ColumnValue, ConstraintDefinition, TableDefinition } from "./definition.ts";
import { UnfitValue } from "./exact-values.ts";
import { createdType, writeFor } from "./type-rules.ts";

/** What a table of another engine becomes here. */
export interface ConvertedTable {
  readonly table: TableDefinition;
  /** Why it cannot be made; null: it can. */
  readonly refused: string | null;
  /** What of it is not made here, beside what its own words leave out. */
  readonly leftOut: readonly string[];
  /** Columns that a sequence fills. */
  readonly numbered: readonly string[];
}

const MAX_COLUMNS = 1_600;
/** A third of a page: an index takes no longer entry. */
const MAX_INDEX_BYTES = 2_704;
/** Of a character. */
const MAX_UTF8_BYTES = 4;
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"]);
const IDENTITIES: ReadonlySet<string> = new Set(["smallint", "integer", "bigint"]);

/** `others`: the tables that it may refer to, as far as they are known. `order`, `needs`: as in `TableDefinition`. */
export function convertTable(
  table: CommonTable,
  others: readonly CommonTable[],
  { order, needs }: Pick<TableDefinition, "order" | "needs">,
): ConvertedTable {
  const leftOut: string[] = [];
  const columns = table.columns.map((column) => convertColumn(table, column, leftOut));
  const indexes = table.indexes.filter((index) => fitsIndex(table, index, leftOut));
  const foreignKeys = table.foreignKeys
    .map((key) => exactlyNamed(key, table, others))
    .filter((key) => hasUnique(key, others, leftOut));
  const sequenced = table.columns.filter(isSequenced);
  return {
    table: {
      schema: table.schema,
      name: table.name,
      order,
      needs,
      partitionOf: null,
      partitionKey: null,
      parents: [],
      columns,
      options: [],
      sequences: sequenced.map(({ name }) => ({
        ...sequenceOf(table, name),
        column: name,
        create: `create sequence ${quoteTable(sequenceOf(table, name))}`,
      })),
      constraints: [...keysOf(table), ...foreignKeys.map(foreignKeyOf)],
      indexes: [
        ...table.uniques.filter(isDescending).map((index) => indexOf(table, index, "unique ")),
        ...indexes.map((index) => indexOf(table, index, "")),
      ],
      statistics: [],
      replicaIdentity: "default",
    },
    refused: refusalOf(table),
    leftOut,
    numbered: table.columns.filter((column) => isNumbered(column)).map(({ name }) => name),
  };
}

/** What stands behind the name of a column where it is added to a table that is there; but for a sequence. */
export function addedColumn(table: CommonTable, column: CommonColumn): string {
  const { type, isNotNull, value } = convertColumn(table, { ...column, isIdentity: false }, []);
  return [
    type,
    ...(value.kind === "default" ? [`default ${value.expression}`] : []),
    ...(isNotNull ? ["not null"] : []),
  ].join(" ");
}

function convertColumn(table: CommonTable, column: CommonColumn, leftOut: string[]): ColumnDefinition {
  return {
    name: column.name,
    type: createdType(column),
    collation: null,
    isNotNull: !column.isNullable,
    notNull: null,
    value: valueOf(table, column, leftOut),
    storage: null,
    compression: null,
    isLocal: true,
  };
}

function valueOf(table: CommonTable, column: CommonColumn, leftOut: string[]): ColumnValue {
  const { name, default: value, isIdentity } = column;
  const type = createdType(column);
  if (isIdentity) {
    if (isSequenced(column)) {
      const sequence = quoteLiteral(quoteTable(sequenceOf(table, name)));
      return { kind: "default", expression: `pg_catalog.nextval(${sequence}::pg_catalog.regclass)` };
    }
    if (isNumbered(column)) return { kind: "identity", isAlways: false, options: "start with 1" };
    leftOut.push(`column ${name}: ${type} takes no numbers from a sequence`);
    return { kind: "null" };
  }
  if (value === null) return { kind: "null" };
  if (value.kind === "now") return nowOf(column, leftOut);
  if (isExact(column, value.text))
    return { kind: "default", expression: `${quoteLiteral(value.text)}::${type}` };
  leftOut.push(`column ${name} default '${value.text}', which ${type} does not hold`);
  return { kind: "null" };
}

function nowOf({ name, type }: CommonColumn, leftOut: string[]): ColumnValue {
  if (type === "timestamp" || type === "timestamptz") return { kind: "default", expression: "now()" };
  leftOut.push(`column ${name} default: the moment`);
  return { kind: "null" };
}

/** Whether a column of the type that is made takes it as any other value. */
function isExact(column: CommonColumn, text: string): boolean {
  const typeName = createdNameOf(column);
  const target = { typeSchema: "pg_catalog", typeKind: "b", typeName, nativeType: createdType(column) };
  try {
    return writeFor(column.type, target)?.(text) === text;
  } catch (error) {
    if (error instanceof UnfitValue) return false;
    throw error;
  }
}

/** The catalog's name of a type that we make. */
function createdNameOf(column: CommonColumn): string {
  const name = createdType(column).replace(/\(.*/, "");
  return CATALOG_NAMES[name] ?? name;
}

const CATALOG_NAMES: Readonly<Record<string, string>> = {
  smallint: "int2",
  integer: "int4",
  bigint: "int8",
  real: "float4",
  "double precision": "float8",
  boolean: "bool",
  "bit varying": "varbit",
};

function isNumbered(column: CommonColumn): boolean {
  return column.isIdentity && (IDENTITIES.has(createdType(column)) || isSequenced(column));
}

/** The server takes no identity of that type. */
function isSequenced({ isIdentity, type }: CommonColumn): boolean {
  return isIdentity && (type === "uint64" || type === "decimal");
}

function sequenceOf({ schema, name }: CommonTable, column: string): { schema: string; name: string } {
  return { schema, name: indexName(name, `${column}_seq`) };
}

function keysOf(table: CommonTable): ConstraintDefinition[] {
  const { name, primaryKey, uniques } = table;
  const primary = primaryKey === null ? [] : [constraint(indexName(name, "pkey"), "primary", primaryKey)];
  return [
    ...primary,
    // No constraint has an order of its own; a unique index is as good.
    ...uniques
      .filter((index) => !isDescending(index))
      .map((unique) => constraint(indexName(name, unique.name), "unique", unique.columns)),
  ];
}

function isDescending({ descending }: CommonIndex): boolean {
  return descending.length > 0;
}

function indexOf(
  table: CommonTable,
  { name, columns, descending }: CommonIndex,
  unique: "unique " | "",
): TableDefinition["indexes"][number] {
  const own = indexName(table.name, name);
  const parts = columns.map(
    (column) => quoteIdentifier(column) + (descending.includes(column) ? " desc" : ""),
  );
  return {
    name: own,
    create: `create ${unique}index ${quoteIdentifier(own)} on ${quoteTable(table)} (${parts.join(", ")})`,
    attachTo: null,
  };
}

function constraint(
  name: string,
  kind: "primary" | "unique",
  columns: readonly string[],
): ConstraintDefinition {
  const words = kind === "primary" ? "primary key" : "unique";
  return { ...PLAIN, name, kind, definition: `${words} (${listed(columns)})`, references: null };
}

const PLAIN = { isInherited: false, isEnforced: true, attachTo: null } as const;

function foreignKeyOf(key: CommonForeignKey): ConstraintDefinition {
  const { name, columns, references, referencedColumns, onDelete, onUpdate } = key;
  const definition = `foreign key (${listed(columns)}) references ${quoteTable(references)} (${listed(referencedColumns)})
    on delete ${onDelete} on update ${onUpdate}`;
  return { ...PLAIN, name: constraintName(name), kind: "foreign", definition, references };
}

/** Elsewhere `ID` may name the column `id`. */
function exactlyNamed(
  key: CommonForeignKey,
  table: CommonTable,
  others: readonly CommonTable[],
): CommonForeignKey {
  const target = others.find((other) => tableKey(other) === tableKey(key.references));
  const exact = (names: readonly string[], of: CommonTable | undefined): string[] =>
    names.map((name) => {
      const known = of?.columns.map((column) => column.name) ?? [];
      const isAlike = (one: string): boolean => one.toLowerCase() === name.toLowerCase();
      return known.includes(name) ? name : (known.find(isAlike) ?? name);
    });
  return {
    ...key,
    columns: exact(key.columns, table),
    referencedColumns: exact(key.referencedColumns, target),
  };
}

/** The server refuses one to columns that no key of theirs tells apart. */
function hasUnique(
  { name, references, referencedColumns }: CommonForeignKey,
  others: readonly CommonTable[],
  leftOut: string[],
): boolean {
  const target = others.find((other) => tableKey(other) === tableKey(references));
  if (target === undefined) return true; // It may be there already.
  const wanted = JSON.stringify(referencedColumns.toSorted());
  const keys = [target.primaryKey ?? [], ...target.uniques.map(({ columns }) => columns)];
  if (keys.some((key) => JSON.stringify(key.toSorted()) === wanted)) return true;
  leftOut.push(
    `foreign key ${name}: no key of ${tableLabel(references)} is on (${listed(referencedColumns)})`,
  );
  return false;
}

/** One that only makes queries quick is not worth a row that it refuses. */
function fitsIndex(table: CommonTable, { name, columns }: CommonIndex, leftOut: string[]): boolean {
  const bytes = columns.reduce((sum, of) => {
    const column = table.columns.find((one) => one.name === of);
    return sum + (column === undefined ? 0 : mostBytes(column));
  }, 0);
  if (bytes <= MAX_INDEX_BYTES) return true;
  leftOut.push(`index ${name} (${listed(columns)}): values may be longer than an index takes`);
  return false;
}

function mostBytes({ type, maxLength }: CommonColumn): number {
  switch (type) {
    case "string":
      return (maxLength ?? Infinity) * MAX_UTF8_BYTES;
    case "bytes":
      return maxLength ?? Infinity;
    default:
      return 0;
  }
}

function refusalOf({ schema, name, columns }: CommonTable): string | null {
  const names = [schema, name, ...columns.map((column) => column.name)];
  const long = names.find((one) => Buffer.byteLength(one) > MAX_NAME_BYTES);
  if (long !== undefined) return `name ${long} is longer than ${MAX_NAME_BYTES} bytes`;
  const taken = columns.find((column) => SYSTEM_COLUMNS.has(column.name));
  if (taken !== undefined) return `PostgreSQL has a column ${taken.name} of its own in every table`;
  if (columns.length > MAX_COLUMNS) return `it has more than ${MAX_COLUMNS} columns`;
  return /^pg_|^(?:information_schema|lockstep)$/.test(schema)
    ? `schema ${schema} is PostgreSQL's own, or ours`
    : null;
}

function listed(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(", ");
}

import { unreachable, type TableName } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import type { ColumnDefinition, TableDefinition } from "./definition.ts";
import { VERSION_18, type ServerAbilities } from "./server-abilities.ts";

/** Statements that create the table, without keys, constraints and indexes; its sequences are there already. */
export function createTable(table: TableDefinition, server: ServerAbilities): readonly string[] {
  const quoted = quoteTable(table);
  const own = isLinkedLater(table) ? table.columns : table.columns.filter(({ isLocal }) => isLocal);
  const inherited = table.columns.filter((column) => !own.includes(column));
  const columns = own.map((column) => columnText(column, server));
  const clauses = [
    isLinkedLater(table) ? "" : ` inherits (${table.parents.map(quoteTable).join(", ")})`,
    table.partitionKey === null ? "" : ` partition by ${table.partitionKey}`,
    table.options.length === 0 ? "" : ` with (${table.options.join(", ")})`,
  ];
  return [
    `create table ${quoted} (${columns.join(", ")})${clauses.join("")}`,
    ...inherited.flatMap((column) => adjustInherited(quoted, column)),
    ...table.columns.flatMap(({ name, storage }) =>
      storage === null
        ? []
        : `alter table only ${quoted} alter column ${quoteIdentifier(name)} set storage ${storage}`,
    ),
    ...linkToParents(table, quoted),
    ...(typeof table.replicaIdentity === "string" && table.replicaIdentity !== "default"
      ? [`alter table only ${quoted} replica identity ${table.replicaIdentity}`]
      : []),
  ];
}

/** A table that declares all its columns itself keeps their order when it is made an heir afterwards. */
function isLinkedLater({ partitionOf, parents, columns }: TableDefinition): boolean {
  return partitionOf !== null || parents.length === 0 || columns.every(({ isLocal }) => isLocal);
}

function linkToParents(table: TableDefinition, quoted: string): readonly string[] {
  const { partitionOf, parents } = table;
  if (partitionOf !== null)
    return [
      `alter table only ${quoteTable(partitionOf.parent)} attach partition ${quoted} ${partitionOf.bound}`,
    ];
  if (!isLinkedLater(table)) return [];
  return parents.map((parent: TableName) => `alter table only ${quoted} inherit ${quoteTable(parent)}`);
}

/** What a table that inherits a column may still have as its own. */
function adjustInherited(quoted: string, column: ColumnDefinition): readonly string[] {
  const { value, isNotNull } = column;
  const isNotNullItself = isNotNull && column.notNull?.isLocal !== false;
  const alter = `alter table only ${quoted} alter column ${quoteIdentifier(column.name)}`;
  const notNull = isNotNullItself ? [`${alter} set not null`] : [];
  switch (value.kind) {
    case "null":
      return [...notNull, `${alter} drop default`];
    case "default":
      return [...notNull, `${alter} set default ${value.expression}`];
    case "identity":
      return [...notNull, `${alter} add ${identityText(value)}`];
    case "stored":
    case "virtual":
      return notNull;
    default:
      return unreachable(value);
  }
}

function columnText(column: ColumnDefinition, { version, hasLz4 }: ServerAbilities): string {
  const { name, type, collation, isNotNull, notNull, compression } = column;
  const isCompressible = compression === "pglz" || (compression === "lz4" && hasLz4);
  return [
    quoteIdentifier(name),
    type,
    isCompressible ? `compression ${compression}` : "",
    collation === null ? "" : `collate ${collation}`,
    valueText(column, version),
    isNotNull ? notNullText(notNull, version) : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function notNullText(notNull: ColumnDefinition["notNull"], version: number): string {
  if (notNull === null) return "not null";
  const noInherit = notNull.isNoInherit && version >= VERSION_18 ? " no inherit" : "";
  return `constraint ${quoteIdentifier(notNull.name)} not null${noInherit}`;
}

function valueText({ value }: ColumnDefinition, version: number): string {
  switch (value.kind) {
    case "null":
      return "";
    case "default":
      return `default ${value.expression}`;
    case "identity":
      return identityText(value);
    case "stored":
      return `generated always as (${value.expression}) stored`;
    case "virtual":
      return `generated always as (${value.expression}) ${version < VERSION_18 ? "stored" : "virtual"}`;
    default:
      return unreachable(value);
  }
}

function identityText({
  isAlways,
  options,
}: {
  readonly isAlways: boolean;
  readonly options: string;
}): string {
  return `generated ${isAlways ? "always" : "by default"} as identity (${options})`;
}

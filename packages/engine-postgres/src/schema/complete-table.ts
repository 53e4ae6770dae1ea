import { tableKey, tableLabel, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import type { ConstraintDefinition, PostgresSchema, TableDefinition } from "./definition.ts";
import { ensureObject } from "./ensure-object.ts";
import { readAbilities, VERSION_18 } from "./server-abilities.ts";
import { define } from "./statement.ts";
import { unitsOf, type Unit } from "./unit.ts";

/**
 * Gives a table that `createMissing` created, and its partitions, what it lacks once it holds its rows: keys,
 * indexes, checks, statistics. Each is known by its name: what is there is left as it is. May be killed at any
 * time and run again.
 */
export async function completeTable(client: Client, schema: PostgresSchema, table: TableName): Promise<void> {
  const [unit] = unitsOf(schema, [table]);
  if (unit === undefined) return;
  // What came before the table was there when it was created.
  const late = schema.objects.filter(({ order }) => order > unit.top.order && unit.top.needs.includes(order));
  for (const object of late) await ensureObject(client, object);
  const { version } = await readAbilities(client);
  const present = await readPresent(client, unit);
  for (const { key, statement, what } of partsOf(unit, version)) {
    if (key === null || !present.has(key)) await define(client, statement, { what });
  }
}

interface Part {
  /** Null: saying it again changes nothing. */
  readonly key: string | null;
  readonly what: string;
  readonly statement: string;
}

/** Keys and indexes of a partitioned table are made for itself alone, then the partitions' own are attached. */
function partsOf({ members }: Unit, version: number): readonly Part[] {
  return [
    ...members.flatMap((table) => [...keysOf(table), ...indexesOf(table)]),
    ...members.flatMap(attachmentsOf),
    ...members.flatMap((table) => checksOf(table, version)),
    ...members.flatMap((table) => [...replicaIdentityOf(table), ...statisticsOf(table)]),
  ];
}

function keysOf(table: TableDefinition): readonly Part[] {
  return table.constraints
    .filter(({ kind }) => kind === "primary" || kind === "unique" || kind === "exclusion")
    .map((constraint) => constraintPart(table, constraint, "only "));
}

function indexesOf(table: TableDefinition): readonly Part[] {
  return table.indexes.map(({ name, create }) => ({
    key: partKey("index", table, name),
    what: `index ${name} of table ${tableLabel(table)}`,
    statement: create,
  }));
}

function attachmentsOf(table: TableDefinition): readonly Part[] {
  return [...table.constraints, ...table.indexes].flatMap(({ name, attachTo }) => {
    if (attachTo === null) return [];
    const index = quoteTable({ schema: table.schema, name });
    return {
      key: partKey("attachment", table, name),
      what: `index ${name} of table ${tableLabel(table)}`,
      statement: `alter index ${quoteTable(attachTo)} attach partition ${index}`,
    };
  });
}

/** From the top down: a check comes to partitions and heirs by itself, and is merged with one of their own. */
function checksOf(table: TableDefinition, version: number): readonly Part[] {
  const hasParents = table.partitionOf !== null || table.parents.length > 0;
  return table.constraints
    .filter(({ kind, isEnforced }) =>
      version >= VERSION_18 ? kind === "check" || kind === "not-null" : kind === "check" && isEnforced,
    )
    .filter(({ isInherited }) => !isInherited || !hasParents)
    .map((constraint) => constraintPart(table, constraint, ""));
}

function constraintPart(
  table: TableDefinition,
  { name, definition }: ConstraintDefinition,
  only: "only " | "",
): Part {
  return {
    key: partKey("constraint", table, name),
    what: `constraint ${name} of table ${tableLabel(table)}`,
    statement: `alter table ${only}${quoteTable(table)} add constraint ${quoteIdentifier(name)} ${definition}`,
  };
}

function replicaIdentityOf(table: TableDefinition): readonly Part[] {
  const { replicaIdentity } = table;
  if (typeof replicaIdentity === "string") return [];
  return [
    {
      key: null,
      what: `the replica identity of table ${tableLabel(table)}`,
      statement: `alter table only ${quoteTable(table)} replica identity using index ${quoteIdentifier(replicaIdentity.index)}`,
    },
  ];
}

function statisticsOf(table: TableDefinition): readonly Part[] {
  return table.statistics.map((statistics) => ({
    key: partKey("statistics", statistics, ""),
    what: `statistics ${tableLabel(statistics)}`,
    statement: statistics.create,
  }));
}

/** `$1`, `$2`: schemas and names of the tables. */
const READ_PRESENT = `
  with member as (
    select c.oid, n.nspname, c.relname
      from unnest($1::text[], $2::text[]) as g (schema, name)
      join pg_catalog.pg_namespace n on n.nspname = g.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name)
  select 'constraint' as "kind", m.nspname as "schema", m.relname as "name", con.conname as "part"
    from member m join pg_catalog.pg_constraint con on con.conrelid = m.oid
  union all
  select 'index', m.nspname, m.relname, x.relname
    from member m join pg_catalog.pg_index i on i.indrelid = m.oid join pg_catalog.pg_class x on x.oid = i.indexrelid
  union all
  select 'attachment', m.nspname, m.relname, x.relname
    from member m join pg_catalog.pg_index i on i.indrelid = m.oid join pg_catalog.pg_class x on x.oid = i.indexrelid
    join pg_catalog.pg_inherits h on h.inhrelid = x.oid
  union all
  select 'statistics', n.nspname, s.stxname, ''
    from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace`;

interface PresentRow extends TableName {
  readonly kind: PartKind;
  readonly part: string;
}

type PartKind = "constraint" | "index" | "attachment" | "statistics";

async function readPresent(client: Client, { members }: Unit): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<PresentRow>(READ_PRESENT, [
    members.map(({ schema }) => schema),
    members.map(({ name }) => name),
  ]);
  return new Set(rows.map((row) => partKey(row.kind, row, row.part)));
}

function partKey(kind: PartKind, table: TableName, part: string): string {
  return JSON.stringify([kind, tableKey(table), part]);
}

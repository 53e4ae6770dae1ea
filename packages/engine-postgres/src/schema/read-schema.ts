import type { TableName } from "@lockstep/core";
import type { Client } from "pg";
import type { PostgresSchema, TableDefinition } from "./definition.ts";
import {
  keyOfTable,
  readDependencies,
  type Dependencies,
  type Member,
  type ObjectKey,
} from "./dependencies.ts";
import type { SchemaObject } from "./definition.ts";
import { partitionTree } from "./partition-tree.ts";
import { readColumns } from "./read-columns.ts";
import { readObjects } from "./read-objects.ts";
import { readTableParts } from "./read-table-parts.ts";
import { readTables } from "./read-tables.ts";

/** The tables given, each with its partitions, from the top down; foreign tables hold no rows of the primary. */
const READ_MEMBERS = `
  with given as (
    select c.oid, g.at
      from unnest($1::text[], $2::text[]) with ordinality as g (schema, name, at)
      join pg_catalog.pg_namespace n on n.nspname = g.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name
     where c.relkind in ('r', 'p'))
  select c.oid::text as "oid", g.oid::text as "root"
    from given g
   cross join lateral (select g.oid as relid, 0 as level
                        union
                       select t.relid, t.level from ${partitionTree("g.oid")} t) m
    join pg_catalog.pg_class c on c.oid = m.relid and c.relkind in ('r', 'p')
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   order by g.at, m.level, n.nspname, c.relname`;

/**
 * Reads how `tables` are defined, with their partitions and all that they depend on; one that does not exist is
 * left out. The client has `search_path = ''`, so that the server's text is qualified. A transaction is the
 * caller's: none is begun or ended here.
 */
export async function readSchema(client: Client, tables: readonly TableName[]): Promise<PostgresSchema> {
  const { rows: members } = await client.query<Member>(READ_MEMBERS, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  const dependencies = await readDependencies(client, members);
  const objects = await readObjects(client, dependencies.order);
  const place = placesOf(dependencies, objects);
  return {
    dialect: "postgres",
    objects: [...objects.values()],
    tables: await readDefinitions(client, members, place),
  };
}

type Place = Pick<TableDefinition, "order" | "needs">;

function placesOf(
  dependencies: Dependencies,
  objects: ReadonlyMap<ObjectKey, SchemaObject>,
): (root: string) => Place {
  const orders = new Map(dependencies.order.map((key, order) => [key, order]));
  return (root) => {
    const needs = [...dependencies.needsOf(root)].flatMap((key) => objects.get(key)?.order ?? []);
    return { order: orders.get(keyOfTable(root)) ?? orders.size, needs };
  };
}

async function readDefinitions(
  client: Client,
  members: readonly Member[],
  placeOf: (root: string) => Place,
): Promise<TableDefinition[]> {
  const oids = members.map(({ oid }) => oid);
  const shapes = await readTables(client, oids);
  const columns = await readColumns(client, oids);
  const parts = await readTableParts(client, oids);
  return members.flatMap(({ oid, root }) => {
    const [shape, top, own] = [shapes.get(oid), shapes.get(root), parts.get(oid)];
    if (shape === undefined || top === undefined || own === undefined) return []; // Dropped a moment ago.
    const { partitionOf } = shape;
    const topmost = { schema: top.schema, name: top.name };
    return {
      ...shape,
      ...own,
      ...placeOf(root),
      columns: columns.get(oid) ?? [],
      partitionOf: partitionOf === null ? null : { ...partitionOf, root: topmost },
    };
  });
}

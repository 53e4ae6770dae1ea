import { tableKey, type TableName } from "@lockstep/core";
import type { PostgresSchema, TableDefinition } from "./definition.ts";

/** A table with its partitions, from the top down. */
export interface Unit {
  readonly top: TableDefinition;
  readonly members: readonly TableDefinition[];
}

/** Those of `tables` that the schema has, as units, in its order. */
export function unitsOf(schema: PostgresSchema, tables: readonly TableName[]): readonly Unit[] {
  const wanted = new Set(tables.map(tableKey));
  const tops = schema.tables.filter((table) => table.partitionOf === null && wanted.has(tableKey(table)));
  return tops.map((top) => {
    const key = tableKey(top);
    const partitions = schema.tables.filter(
      ({ partitionOf }) => partitionOf !== null && tableKey(partitionOf.root) === key,
    );
    return { top, members: [top, ...partitions] };
  });
}

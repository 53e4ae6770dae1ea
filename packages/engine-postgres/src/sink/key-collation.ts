import type { Column, CommonTable, Difference, Table } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import type { CatalogColumn } from "./target-catalog.ts";

interface Keyed {
  /** The replica's columns. */
  readonly rows: readonly CatalogColumn[];
  /** The primary's table, where it is known in whole. */
  readonly common: CommonTable | undefined;
  /** The primary is a PostgreSQL, too. */
  readonly isOwn: boolean;
}

/** Two texts that the primary tells apart are two keys: one would be given the row of the other. */
export function takenForEqual(
  table: Table,
  column: Column | undefined,
  { rows, common, isOwn }: Keyed,
): Difference[] {
  const own = rows.find(({ name }) => name === column?.name);
  if (own === undefined || own.collation === null) return [];
  if (isOwn) {
    const source = common?.columns.find(({ name }) => name === own.name);
    if (source === undefined || source.collation === own.collation) return [];
  }
  return [
    {
      what: `column ${own.name} of its key has collation ${own.collation}, which may take texts for equal that the primary tells apart`,
      fix: `run there: alter table ${quoteTable(table)} alter column ${quoteIdentifier(own.name)} type ${own.nativeType} collate pg_catalog."default"`,
    },
  ];
}

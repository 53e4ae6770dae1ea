import type { SourceTable, TableName, TableRange } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import { partitionTree } from "../schema/partition-tree.ts";
import { BINARY_FORMAT } from "./columns.ts";

/** What holds rows of a table: the table itself, or each of its partitions. */
export interface Relation extends TableName {
  /** The table that it belongs to. */
  readonly table: string;
  readonly oid: string;
  /** Another one: it was rewritten or truncated, so that a view from before no longer sees what it saw. */
  readonly fileNode: string;
  readonly pages: number;
  readonly rows: number;
  readonly bytes: number;
}

interface RelationRow extends TableName {
  readonly table: string;
  readonly oid: string;
  readonly fileNode: string;
  readonly pages: string;
  readonly rows: number;
  readonly bytes: string;
}

const READ_RELATIONS = `
  select root.oid::text as "table", c.oid::text as "oid", n.nspname as "schema", c.relname as "name",
         coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::text as "fileNode",
         (pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8)::text as "pages",
         greatest(c.reltuples, 0)::float8 as "rows", pg_catalog.pg_table_size(c.oid)::text as "bytes"
    from unnest($1::pg_catalog.oid[]) root(oid)
    join pg_catalog.pg_class r on r.oid = root.oid
    join lateral (select relid from ${partitionTree("root.oid")} t where isleaf and r.relkind = 'p'
                  union all select root.oid where r.relkind = 'r') leaf on true
    join pg_catalog.pg_class c on c.oid = leaf.relid and c.relkind = 'r'
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   order by c.oid`;

export async function readRelations(client: Client, tables: readonly SourceTable[]): Promise<Relation[]> {
  const { rows } = await client.query<RelationRow>(READ_RELATIONS, [
    tables.map(({ identity = "0" }) => identity),
  ]);
  return rows.map((row) => ({ ...row, pages: Number(row.pages), bytes: Number(row.bytes) }));
}

/** Whether both say that the same relations, by the same names, have the same files. */
export function areSameFiles(left: readonly Relation[], right: readonly Relation[]): boolean {
  const files = (relations: readonly Relation[]): string =>
    JSON.stringify(relations.map(({ oid, fileNode, schema, name }) => [oid, fileNode, schema, name]));
  return files(left) === files(right);
}

/** A range in its own text: pages of one relation. */
interface Pages extends TableName {
  readonly low: number;
  /** Null: to the end, however far the relation has grown. */
  readonly high: number | null;
}

export function rangesOf(relation: Relation, rangeBytes: number): TableRange[] {
  const { schema, name, pages, bytes } = relation;
  const perRange = Math.max(1, Math.floor(pages / Math.max(1, Math.ceil(bytes / rangeBytes))));
  const ranges: TableRange[] = [];
  for (let low = 0; low === 0 || low < pages; low += perRange) {
    const high = low + perRange >= pages ? null : low + perRange;
    const text: Pages = { schema, name, low, high };
    const share = pages === 0 ? 0 : Math.min(perRange, pages - low) / pages;
    ranges.push({ bytes: bytes * share, text: JSON.stringify(text) });
  }
  return ranges;
}

/** The statement that reads a range of a table with these columns. */
export function copyStatement(range: TableRange, columns: readonly string[], format: string): string {
  const pages: unknown = JSON.parse(range.text);
  if (!isPages(pages)) throw new TypeError(`${range.text} is not a range`);
  const { low, high } = pages;
  const conditions = [
    ...(low > 0 ? [`ctid >= '(${low},0)'`] : []),
    ...(high === null ? [] : [`ctid < '(${high},0)'`]),
  ];
  const where = conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
  const names = columns.map(quoteIdentifier).join(", ");
  const as = format === BINARY_FORMAT ? "binary" : "text";
  return `copy (select ${names} from only ${quoteTable(pages)}${where}) to stdout (format ${as})`;
}

function isPages(value: unknown): value is Pages {
  return (
    typeof value === "object" && value !== null && "low" in value && "high" in value && "schema" in value
  );
}

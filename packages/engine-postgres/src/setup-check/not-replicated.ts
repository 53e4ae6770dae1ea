import {
  matchesTable,
  tableLabel,
  type Finding,
  type SourceTable,
  type TableFilter,
  type TableName,
  count,
  nameList,
  tableList,
} from "@lockstep/core";
import type { Client } from "pg";

interface LeftRow {
  readonly sequences: readonly string[];
  readonly materializedViews: readonly string[];
  readonly foreignTables: readonly string[];
  readonly unlogged: readonly TableName[];
  /** Of the tables that are replicated. */
  readonly partitioned: readonly string[];
  readonly largeObjects: number;
  readonly triggers: number;
  readonly rules: number;
  readonly policies: number;
}

const OURS_NOT = `n.nspname not in ('information_schema', 'lockstep') and n.nspname !~ '^pg_'`;
const namesOf = (kind: string): string => `
  array(select pg_catalog.format('%s.%s', n.nspname, c.relname) from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relkind = '${kind}' and ${OURS_NOT} order by 1)`;

const READ_LEFT = `
  select ${namesOf("S")} as "sequences", ${namesOf("m")} as "materializedViews", ${namesOf("f")} as "foreignTables",
         (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname)), '[]')
            from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and c.relpersistence = 'u' and ${OURS_NOT}) as "unlogged",
         array(select pg_catalog.format('%s.%s', n.nspname, c.relname) from pg_catalog.pg_class c
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                where c.oid = any ($1::pg_catalog.oid[]) and c.relkind = 'p' order by 1) as "partitioned",
         (select count(*)::int from pg_catalog.pg_largeobject_metadata) as "largeObjects",
         (select count(*)::int from pg_catalog.pg_trigger where tgrelid = any ($1::pg_catalog.oid[]) and not tgisinternal) as "triggers",
         (select count(*)::int from pg_catalog.pg_rewrite where ev_class = any ($1::pg_catalog.oid[])) as "rules",
         (select count(*)::int from pg_catalog.pg_policy where polrelid = any ($1::pg_catalog.oid[])) as "policies"`;

export interface NotReplicatedOptions {
  readonly filter: TableFilter;
  readonly tables: readonly SourceTable[];
  /** Those that the filter does not name. */
  readonly others: readonly TableName[];
}

/** What of this very database does not reach replicas. */
export async function findNotReplicated(client: Client, options: NotReplicatedOptions): Promise<Finding[]> {
  const { filter, tables, others } = options;
  const oids = tables.map(({ identity = "0" }) => identity);
  const [left] = (await client.query<LeftRow>(READ_LEFT, [oids])).rows;
  if (left === undefined) return [];
  const unlogged = left.unlogged.filter((table) => !matchesTable(filter, table));
  const known = new Set(unlogged.map(tableLabel));
  const excluded = others.filter((table) => !known.has(tableLabel(table)));
  const kept = [
    ...(left.triggers > 0 ? [count(left.triggers, "trigger")] : []),
    ...(left.rules > 0 ? [count(left.rules, "rule")] : []),
    ...(left.policies > 0 ? [count(left.policies, "row security policy").replace(/ys$/, "ies")] : []),
  ];
  return [
    info(
      "schema changes (DDL) after the copy: a replica whose table no longer fits waits",
      "run the same statement on the replicas, too",
    ),
    ...ofRelations(left),
    ...named(unlogged.map(tableLabel), "unlogged table", "the primary does not log its changes", {}),
    ...(excluded.length > 0
      ? [
          info(
            `${count(excluded.length, "table")} that tables.include and tables.exclude leave out: ${tableList(excluded)}`,
          ),
        ]
      : []),
    ...(kept.length > 0
      ? [
          info(
            `${kept.join(", ")} of the tables: not made on replicas, where the primary's effects arrive as rows`,
          ),
        ]
      : []),
  ];
}

function ofRelations(left: LeftRow): Finding[] {
  return [
    ...named(
      left.partitioned,
      "partitioned table",
      "a partition that is made later is not made on replicas, and a row of it halts a replica that lacks it",
      { fix: "make it on the replicas before its first row, or let them have a default partition" },
    ),
    ...named(
      left.sequences,
      "sequence",
      "a replica's are set when it is copied, and not followed afterwards",
      {
        fix: "set them (setval) before anybody writes to a replica",
      },
    ),
    ...(left.largeObjects > 0
      ? [
          info(
            `${count(left.largeObjects, "large object")}: the rows that name one keep only its number`,
            "keep the bytes in bytea columns",
          ),
        ]
      : []),
    ...named(left.materializedViews, "materialized view", "it is not made on replicas", {
      fix: "create it there, and refresh it there",
    }),
    ...named(left.foreignTables, "foreign table", "it holds no rows of the primary", {}),
  ];
}

function named(
  names: readonly string[],
  noun: string,
  why: string,
  { fix }: { readonly fix?: string },
): Finding[] {
  if (names.length === 0) return [];
  return [info(`${count(names.length, noun)}, ${nameList(names)}: ${why}`, fix)];
}

function info(what: string, fix?: string): Finding {
  return { level: "info", code: "not-replicated", what, ...(fix === undefined ? {} : { fix }) };
}

import type { Client, QueryResult } from "pg";
import type { ConstraintDefinition, IndexDefinition, StatisticsDefinition } from "./definition.ts";

/** The index above that a partition's index is part of. */
function attachTo(index: string): string {
  return `
    (select json_build_object('schema', un.nspname, 'name', u.relname)
       from pg_catalog.pg_inherits h join pg_catalog.pg_class u on u.oid = h.inhparent
       join pg_catalog.pg_namespace un on un.oid = u.relnamespace
       join pg_catalog.pg_index ui on ui.indexrelid = u.oid and ui.indrelid = any ($1)
      where h.inhrelid = ${index})`;
}

/**
 * A foreign key of a partition that comes from above is left out, and so is a not-null constraint that is valid:
 * the column has it.
 */
const READ_CONSTRAINTS = `
  select con.conrelid::text as "table", con.conname as "name",
         case con.contype when 'c' then 'check' when 'p' then 'primary' when 'u' then 'unique'
                          when 'x' then 'exclusion' when 'f' then 'foreign' else 'not-null' end as "kind",
         pg_get_constraintdef(con.oid) as "definition", not con.conislocal as "isInherited",
         coalesce((to_jsonb(con) ->> 'conenforced')::boolean, true) as "isEnforced",
         case when con.contype in ('p', 'u', 'x') then ${attachTo("con.conindid")} end as "attachTo",
         case when con.contype = 'f'
              then (select json_build_object('schema', rn.nspname, 'name', r.relname)
                      from pg_catalog.pg_class r join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
                     where r.oid = con.confrelid) end as "references"
    from pg_catalog.pg_constraint con
   where con.conrelid = any ($1)
     and (con.contype in ('c', 'p', 'u', 'x') or con.contype = 'f' and con.conparentid = 0
          or con.contype = 'n' and not con.convalidated)
   order by con.conrelid, con.conname`;

/** An index that could not be built is none; that of a partitioned table is when a partition lacks its part. */
const READ_INDEXES = `
  select i.indrelid::text as "table", x.relname as "name", pg_get_indexdef(x.oid) as "create",
         ${attachTo("x.oid")} as "attachTo"
    from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
   where i.indrelid = any ($1) and (i.indisvalid or x.relkind = 'I') and i.indislive
     and not exists (select from pg_catalog.pg_constraint con
                      where con.conindid = x.oid and con.conrelid = i.indrelid and con.contype in ('p', 'u', 'x'))
   order by i.indrelid, x.relname`;

const READ_STATISTICS = `
  select s.stxrelid::text as "table", n.nspname as "schema", s.stxname as "name",
         pg_get_statisticsobjdef(s.oid) as "create"
    from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace
   where s.stxrelid = any ($1)
   order by s.stxrelid, n.nspname, s.stxname`;

/** What a table has once it holds its rows. */
export interface TableParts {
  readonly constraints: readonly ConstraintDefinition[];
  readonly indexes: readonly IndexDefinition[];
  readonly statistics: readonly StatisticsDefinition[];
}

/** By the oid of the table. */
export async function readTableParts(
  client: Client,
  oids: readonly string[],
): Promise<ReadonlyMap<string, TableParts>> {
  const constraints = byTable<ConstraintDefinition>(await client.query(READ_CONSTRAINTS, [oids]));
  const indexes = byTable<IndexDefinition>(await client.query(READ_INDEXES, [oids]));
  const statistics = byTable<StatisticsDefinition>(await client.query(READ_STATISTICS, [oids]));
  return new Map(
    oids.map((oid) => [
      oid,
      {
        constraints: constraints.get(oid) ?? [],
        indexes: indexes.get(oid) ?? [],
        statistics: statistics.get(oid) ?? [],
      },
    ]),
  );
}

function byTable<T extends object>({ rows }: QueryResult<T & { readonly table: string }>): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const row of rows) {
    const parts = found.get(row.table);
    if (parts === undefined) found.set(row.table, [row]);
    else parts.push(row);
  }
  return found;
}

/**
 * The rows of `pg_partition_tree(root)` for an oid, which is SQL: (relid, level, isleaf). The server's own function
 * locks every partition until the transaction's end, so that one that reads many tables would stand in the way of
 * whoever truncates or alters them, and could wait for him (H1).
 */
export function partitionTree(root: string): string {
  return `(with recursive tree (relid, level, kind) as (
      select pt.oid, 0, pt.relkind from pg_catalog.pg_class pt
       where pt.oid = ${root} and (pt.relkind = 'p' or pt.relispartition)
      union all
      select ph.inhrelid, tree.level + 1, pt.relkind
        from tree join pg_catalog.pg_inherits ph on ph.inhparent = tree.relid and not ph.inhdetachpending
        join pg_catalog.pg_class pt on pt.oid = ph.inhrelid
       where tree.kind = 'p')
    select relid, level, kind <> 'p' as isleaf from tree)`;
}

import type { Client } from "pg";

/** An object of the server: the catalog that it is in, and its oid there. */
export type ObjectKey = `${string}:${string}`;

/** `PG_CLASS_OID`: the catalog of tables. */
const TABLES_CATALOG = 1259;
/** What comes with a new database has oids below this; only the schema `public` among it can be missing elsewhere. */
const FIRST_USER_OID = 16_384;

/**
 * What `r` depends on. What an extension brought depends on the extension and on nothing else. Late ones belong
 * to a table, and are only needed once it holds its rows.
 */
const EDGES = `
  select d.refclassid as classid, d.refobjid as objid, false as late
    from pg_catalog.pg_depend d
   where d.classid = r.classid and d.objid = r.objid
     and (d.refobjid >= ${FIRST_USER_OID}
          or d.refclassid = 'pg_catalog.pg_namespace'::regclass
             and d.refobjid in (select oid from pg_catalog.pg_namespace where nspname = 'public'))
     and (d.deptype = 'e'
          or not exists (select from pg_catalog.pg_depend e
                          where e.classid = r.classid and e.objid = r.objid and e.deptype = 'e'))
     and (d.refclassid <> 'pg_catalog.pg_class'::regclass or d.refobjid = any ($1)
          or exists (select from pg_catalog.pg_class c where c.oid = d.refobjid and c.relkind in ('c', 'S')))
  union all
  select 'pg_catalog.pg_attrdef'::regclass, oid, false from pg_catalog.pg_attrdef
   where r.classid = 'pg_catalog.pg_class'::regclass and adrelid = r.objid
  union all
  select d.classid, d.objid, false from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.objid
   where r.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = r.classid and d.refobjid = r.objid
     and d.classid = r.classid and d.deptype in ('a', 'i') and s.relkind = 'S'
  union all
  select 'pg_catalog.pg_class'::regclass, t.typrelid, false
    from pg_catalog.pg_type t join pg_catalog.pg_class c on c.oid = t.typrelid and c.relkind = 'c'
   where r.classid = 'pg_catalog.pg_type'::regclass and t.oid = r.objid
  union all
  select 'pg_catalog.pg_constraint'::regclass, oid, false from pg_catalog.pg_constraint
   where r.classid = 'pg_catalog.pg_type'::regclass and contypid = r.objid
  union all
  select 'pg_catalog.pg_constraint'::regclass, oid, true from pg_catalog.pg_constraint
   where r.classid = 'pg_catalog.pg_class'::regclass and conrelid = r.objid and contype in ('c', 'p', 'u', 'x')
  union all
  select 'pg_catalog.pg_class'::regclass, indexrelid, true from pg_catalog.pg_index
   where r.classid = 'pg_catalog.pg_class'::regclass and indrelid = r.objid
  union all
  select 'pg_catalog.pg_statistic_ext'::regclass, oid, true from pg_catalog.pg_statistic_ext
   where r.classid = 'pg_catalog.pg_class'::regclass and stxrelid = r.objid`;

const READ_EDGES = `
  with recursive reach (classid, objid) as (
    select 'pg_catalog.pg_class'::regclass::oid, oid from unnest($1::oid[]) as table_(oid)
     union
    select e.classid, e.objid from reach r cross join lateral (${EDGES}) e)
  select r.classid || ':' || r.objid as "from", e.classid || ':' || e.objid as "to", e.late as "isLate"
    from reach r cross join lateral (${EDGES}) e
   order by r.classid, r.objid, e.classid, e.objid`;

/**
 * What is created as part of something else: a partition ($1) with the table at the top ($2), a default and a
 * sequence with the table, the columns of a composite type and the checks of a domain with the type.
 */
const READ_WHOLES = `
  with part (classid, objid, wholeclass, whole) as (
    select 'pg_catalog.pg_class'::regclass, oid, 'pg_catalog.pg_class'::regclass, root
      from unnest($1::oid[], $2::oid[]) as partition (oid, root) where oid <> root
    union all
    select 'pg_catalog.pg_attrdef'::regclass, oid, 'pg_catalog.pg_class'::regclass, adrelid
      from pg_catalog.pg_attrdef where adrelid = any ($1)
    union all
    select d.classid, d.objid, d.refclassid, d.refobjid
      from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.objid
     where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = d.classid and d.refobjid = any ($1)
       and d.deptype in ('a', 'i') and s.relkind = 'S'
    union all
    select 'pg_catalog.pg_class'::regclass, oid, 'pg_catalog.pg_type'::regclass, reltype
      from pg_catalog.pg_class where relkind = 'c'
    union all
    select 'pg_catalog.pg_constraint'::regclass, oid, 'pg_catalog.pg_type'::regclass, contypid
      from pg_catalog.pg_constraint where contypid <> 0)
  select classid::oid || ':' || objid as "part", wholeclass::oid || ':' || whole as "whole" from part`;

export interface Member {
  readonly oid: string;
  /** The table at the top of the partitions that it is one of, or itself. */
  readonly root: string;
}

interface Edge {
  readonly from: ObjectKey;
  readonly to: ObjectKey;
  readonly isLate: boolean;
}

export function keyOfTable(oid: string): ObjectKey {
  return `${TABLES_CATALOG}:${oid}`;
}

/** What tables depend on, they themselves among it. */
export interface Dependencies {
  /** In an order in which everything comes after what it depends on, where there is one. */
  readonly order: readonly ObjectKey[];
  /** All that a table at the top depends on, and its partitions, constraints and indexes. */
  needsOf(root: string): ReadonlySet<ObjectKey>;
}

export async function readDependencies(client: Client, members: readonly Member[]): Promise<Dependencies> {
  const oids = members.map(({ oid }) => oid);
  const wholes = await client.query<{ part: ObjectKey; whole: ObjectKey }>(READ_WHOLES, [
    oids,
    members.map(({ root }) => root),
  ]);
  const wholeOf = new Map(wholes.rows.map(({ part, whole }) => [part, whole]));
  const { rows } = await client.query<Edge>(READ_EDGES, [oids]);
  const graph = new Graph(rows, wholeOf);
  return {
    order: graph.order(members.map(({ root }) => keyOfTable(root))),
    needsOf: (root) => graph.reachableFrom(keyOfTable(root)),
  };
}

class Graph {
  readonly #wholeOf: ReadonlyMap<ObjectKey, ObjectKey>;
  readonly #early = new Map<ObjectKey, Set<ObjectKey>>();
  readonly #late = new Map<ObjectKey, Set<ObjectKey>>();

  constructor(edges: readonly Edge[], wholeOf: ReadonlyMap<ObjectKey, ObjectKey>) {
    this.#wholeOf = wholeOf;
    for (const edge of edges) {
      const [from, to] = [this.#whole(edge.from), this.#whole(edge.to)];
      const targets = edge.isLate ? this.#late : this.#early;
      targets.set(from, (targets.get(from) ?? new Set()).add(to));
    }
  }

  order(tables: readonly ObjectKey[]): ObjectKey[] {
    const done = new Set<ObjectKey>();
    const found: ObjectKey[] = [];
    for (const table of tables) this.#visit(table, done, found);
    for (const table of tables) {
      for (const late of this.#late.get(table) ?? []) this.#visit(late, done, found);
    }
    return found;
  }

  reachableFrom(start: ObjectKey): ReadonlySet<ObjectKey> {
    const done = new Set<ObjectKey>();
    this.#visit(start, done, []);
    for (const late of this.#late.get(start) ?? []) this.#visit(late, done, []);
    return done;
  }

  /** Depth first: what is depended on is found first. A circle is cut where it closes. */
  #visit(key: ObjectKey, done: Set<ObjectKey>, found: ObjectKey[]): void {
    if (done.has(key)) return;
    done.add(key);
    for (const target of this.#early.get(key) ?? []) this.#visit(target, done, found);
    found.push(key);
  }

  #whole(key: ObjectKey): ObjectKey {
    const whole = this.#wholeOf.get(key);
    return whole === undefined ? key : this.#whole(whole);
  }
}

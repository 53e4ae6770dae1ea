import { execute } from "@lockstep/testkit";

/** What is compared, by the server's own words and none of the product's code. `relation` is limited to tables $1. */
const QUERIES: Readonly<Record<string, string>> = {
  columns: `
    select r.t, a.attname, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull, a.attidentity, a.attgenerated,
           a.attstorage, a.attcompression, a.attislocal, a.attinhcount, a.attcollation::regcollation::text as collation,
           pg_get_expr(d.adbin, d.adrelid) as value,
           row_number() over (partition by r.t order by a.attnum) as place
      from r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
     order by 1, place`,
  tables: `
    select r.t, c.relkind, c.relpersistence, c.relreplident, pg_get_expr(c.relpartbound, c.oid) as bound,
           pg_get_partkeydef(c.oid) as key, array(select o from unnest(c.reloptions) o where o !~ '^auto') as options,
           array(select inhparent::regclass::text from pg_inherits where inhrelid = c.oid order by inhseqno) as parents
      from r join pg_class c on c.oid = r.oid order by 1`,
  constraints: `
    select r.t, c.conname, c.contype, pg_get_constraintdef(c.oid) as definition, c.condeferrable, c.condeferred,
           c.convalidated, c.conislocal, c.coninhcount, c.conparentid <> 0 as "hasParent"
      from r join pg_constraint c on c.conrelid = r.oid
     where c.contype <> 'n' or c.coninhcount = 0 or not c.conislocal order by 1, 2`,
  indexes: `
    select r.t, x.relname, pg_get_indexdef(x.oid) as definition, i.indisvalid, i.indisprimary, i.indisunique,
           i.indisreplident, i.indimmediate,
           array(select inhparent::regclass::text from pg_inherits where inhrelid = x.oid) as parent
      from r join pg_index i on i.indrelid = r.oid join pg_class x on x.oid = i.indexrelid order by 1, 2`,
  statistics: `
    select r.t, pg_get_statisticsobjdef(s.oid) as definition
      from r join pg_statistic_ext s on s.stxrelid = r.oid order by 1, 2`,
  sequences: `
    select c.oid::regclass::text as name, format_type(s.seqtypid, null) as type, s.seqstart, s.seqincrement, s.seqmin,
           s.seqmax, s.seqcache, s.seqcycle, d.deptype, d.refobjid::regclass::text as owner, d.refobjsubid > 0 as "isOwned"
      from pg_sequence s join pg_class c on c.oid = s.seqrelid
      left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
     order by 1`,
  types: `
    select t.oid::regtype::text as name, t.typtype, t.typnotnull, t.typdefault, t.typcollation::regcollation::text as collation,
           format_type(t.typbasetype, t.typtypmod) as base,
           array(select enumlabel from pg_enum where enumtypid = t.oid order by enumsortorder)::text as labels,
           array(select format('%s %s %s', attname, format_type(atttypid, atttypmod), attcollation::regcollation)
                   from pg_attribute a where a.attrelid = t.typrelid and attnum > 0 and not attisdropped order by attnum)
             as attributes,
           array(select format('%s %s', conname, pg_get_constraintdef(c.oid)) from pg_constraint c
                  where contypid = t.oid and contype = 'c' order by 1) as checks,
           (select to_jsonb(x) from (select rngsubtype::regtype, rngmultitypid::regtype, rngcollation::regcollation,
              rngcanonical::regproc, rngsubdiff::regproc from pg_range where rngtypid = t.oid) x) as range
      from pg_type t left join pg_class c on c.oid = t.typrelid
     where t.typnamespace in (select oid from pg_namespace where nspname = any ($2))
       and t.typtype in ('e', 'd', 'c', 'r', 'm') and coalesce(c.relkind, 'c') = 'c' order by 1`,
  functions: `
    select p.proname as name, pg_get_functiondef(p.oid) as definition from pg_proc p
     where p.pronamespace in (select oid from pg_namespace where nspname = any ($2))
       and not exists (select from pg_depend where objid = p.oid and deptype = 'e')
       and p.prokind = 'f' and p.prolang <> (select oid from pg_language where lanname = 'internal') order by 1, 2`,
  collations: `
    select collname, collprovider, collisdeterministic, collcollate, to_jsonb(pg_collation) - 'oid' - 'collowner' - 'collversion' - 'collencoding' - 'collnamespace' as j from pg_collation
     where oid > 16384 order by 1`,
  extensions: "select extname, extnamespace::regnamespace::text as schema from pg_extension order by 1",
  schemas: "select nspname from pg_namespace where nspname !~ '^pg_' order by 1",
  searches: `
    select c.cfgname, t.alias, m.mapseqno, m.mapdict::regdictionary::text as dictionary
      from pg_ts_config c join pg_ts_config_map m on m.mapcfg = c.oid join ts_token_type(c.cfgparser) t on t.tokid = m.maptokentype
     where c.oid > 16384 order by 1, 2, 3`,
  dictionaries: "select dictname, dictinitoption from pg_ts_dict where oid > 16384 order by 1",
};

const SCHEMAS = ["kinds", "shop", "public", "Odd Schema.with a dot"];

export type Catalog = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

/** Of all tables but the ones excluded; each list is not empty on a primary that has one of everything. */
export async function catalogOf(url: string, excluded: readonly string[]): Promise<Catalog> {
  const found: Record<string, Catalog[string]> = {};
  for (const [name, query] of Object.entries(QUERIES)) {
    const relations = `with r as (
      select c.oid, c.oid::regclass::text as t from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname = any ($2) and c.oid::regclass::text <> all ($1)) ${query}`;
    // So that names come qualified.
    found[name] = await execute(`${url}?options=-csearch_path%3D`, relations, [excluded, SCHEMAS]);
  }
  return found;
}

/** The primary's catalog as a replica has it where EXCLUDED is not replicated; all other differences are faults. */
export function asCarried(catalog: Catalog): Catalog {
  const without = (names: readonly string[], rows: Catalog[string] = []): Catalog[string] =>
    rows.filter(({ name, conname }) => !names.includes(String(name)) && !names.includes(String(conname)));
  return {
    ...catalog,
    columns:
      catalog["columns"]?.map((row) => {
        return row["t"] === "public.orphan" ? { ...row, attislocal: true, attinhcount: 0 } : row;
      }) ?? [],
    tables:
      catalog["tables"]?.map((row) => (row["t"] === "public.orphan" ? { ...row, parents: [] } : row)) ?? [],
    constraints: without(["refers_l_fkey"], catalog["constraints"]).map((row) => {
      if (row["t"] === "public.orphan") return { ...row, conislocal: true, coninhcount: 0 };
      // A check that parent and heir declare alike comes from the parent.
      return row["t"] === "public.heir" && row["conname"] === "w_positive"
        ? { ...row, conislocal: false }
        : row;
    }),
    functions: without(["nobody_needs"], catalog["functions"]),
  };
}

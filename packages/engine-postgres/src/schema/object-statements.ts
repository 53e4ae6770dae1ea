import { CREATE_TYPES } from "./type-statements.ts";

/** Of a row `s` of `pg_sequence`: what stands after `as identity (…` and after `create sequence … as …`. */
export const SEQUENCE_OPTIONS = `
  format('start with %s increment by %s minvalue %s maxvalue %s cache %s%s', s.seqstart, s.seqincrement, s.seqmin,
         s.seqmax, s.seqcache, case when s.seqcycle then ' cycle' else '' end)`;

/** Of a row `s` of `pg_sequence` with its `c` in `pg_class` and `n` in `pg_namespace`. */
export const CREATE_SEQUENCE: string = `
  format('create sequence %I.%I as %s %s', n.nspname, c.relname, format_type(s.seqtypid, null), ${SEQUENCE_OPTIONS})`;

const CREATE_SCHEMAS = `
  select 'pg_catalog.pg_namespace'::regclass as classid, oid, array[format('create schema %I', nspname)] as statements
    from pg_catalog.pg_namespace where oid = any ($2)`;

/** An extension that brings its schema along creates it by itself. */
const CREATE_EXTENSIONS = `
  select 'pg_catalog.pg_extension'::regclass, x.oid,
         array[format('create extension if not exists %I', x.extname) ||
           case when not exists (select from pg_catalog.pg_depend d
                                  where d.classid = 'pg_catalog.pg_namespace'::regclass and d.objid = n.oid
                                    and d.refobjid = x.oid and d.deptype = 'e')
                then format(' with schema %I', n.nspname) else '' end]
    from pg_catalog.pg_extension x join pg_catalog.pg_namespace n on n.oid = x.extnamespace
   where x.oid = any ($2)`;

/** Never "or replace": what is there stays as it is. */
const CREATE_FUNCTIONS = `
  select 'pg_catalog.pg_proc'::regclass, oid,
         array[regexp_replace(pg_get_functiondef(oid), '^CREATE OR REPLACE', 'CREATE')]
    from pg_catalog.pg_proc where oid = any ($2) and prokind <> 'a'`;

const CREATE_SEQUENCES = `
  select 'pg_catalog.pg_class'::regclass, c.oid, array[${CREATE_SEQUENCE}]
    from pg_catalog.pg_sequence s join pg_catalog.pg_class c on c.oid = s.seqrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.oid = any ($2)`;

/** Where the locale stands depends on the server's version. */
const CREATE_COLLATIONS = `
  select 'pg_catalog.pg_collation'::regclass, l.oid,
         array[format('create collation %I.%I (%s, deterministic = %s%s)', n.nspname, l.collname,
           case l.collprovider
             when 'c' then format('provider = libc, lc_collate = %L, lc_ctype = %L', l.collcollate, l.collctype)
             else format('provider = %s, locale = %L', case l.collprovider when 'i' then 'icu' else 'builtin' end,
                         coalesce(j ->> 'colllocale', j ->> 'colliculocale', j ->> 'collcollate'))
           end, l.collisdeterministic::text, ', rules = ' || quote_literal(j ->> 'collicurules'))]
    from pg_catalog.pg_collation l join pg_catalog.pg_namespace n on n.oid = l.collnamespace
   cross join lateral to_jsonb(l) j
   where l.oid = any ($2)`;

const CREATE_DICTIONARIES = `
  select 'pg_catalog.pg_ts_dict'::regclass, d.oid,
         array[format('create text search dictionary %I.%I (template = %I.%I%s)', n.nspname, d.dictname, tn.nspname,
                      t.tmplname, ', ' || d.dictinitoption)]
    from pg_catalog.pg_ts_dict d join pg_catalog.pg_namespace n on n.oid = d.dictnamespace
    join pg_catalog.pg_ts_template t on t.oid = d.dicttemplate
    join pg_catalog.pg_namespace tn on tn.oid = t.tmplnamespace
   where d.oid = any ($2)`;

const CREATE_SEARCH_CONFIGURATIONS = `
  select 'pg_catalog.pg_ts_config'::regclass, g.oid,
         array[format('create text search configuration %I.%I (parser = %I.%I)', n.nspname, g.cfgname, pn.nspname,
                      p.prsname)] ||
         (select array_agg(format('alter text search configuration %I.%I add mapping for %I with %s', n.nspname,
                                  g.cfgname, m.alias, m.dictionaries))
            from (select t.alias, string_agg(format('%I.%I', dn.nspname, d.dictname), ', ' order by m.mapseqno) as dictionaries
                    from pg_catalog.pg_ts_config_map m
                    join ts_token_type(g.cfgparser) t on t.tokid = m.maptokentype
                    join pg_catalog.pg_ts_dict d on d.oid = m.mapdict
                    join pg_catalog.pg_namespace dn on dn.oid = d.dictnamespace
                   where m.mapcfg = g.oid group by t.alias) m)
    from pg_catalog.pg_ts_config g join pg_catalog.pg_namespace n on n.oid = g.cfgnamespace
    join pg_catalog.pg_ts_parser p on p.oid = g.cfgparser
    join pg_catalog.pg_namespace pn on pn.oid = p.prsnamespace
   where g.oid = any ($2)`;

/** `classid`, `oid`, `statements` of those of the objects `$2` that can be created. */
export const CREATE_OBJECTS: string = [
  CREATE_SCHEMAS,
  CREATE_EXTENSIONS,
  CREATE_FUNCTIONS,
  CREATE_SEQUENCES,
  CREATE_COLLATIONS,
  CREATE_DICTIONARIES,
  CREATE_SEARCH_CONFIGURATIONS,
  CREATE_TYPES,
].join("\n  union all");

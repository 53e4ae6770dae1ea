const CREATE_ENUMS = `
  select 'pg_catalog.pg_type'::regclass, t.oid,
         array[format('create type %I.%I as enum (%s)', n.nspname, t.typname,
           (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder)
              from pg_catalog.pg_enum where enumtypid = t.oid))]
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
   where t.oid = any ($2) and t.typtype = 'e'`;

/** ` collate …` where the collation of the first is another than the second's. */
function collateClause(collation: string, ofType: string): string {
  return `(select format(' collate %I.%I', ln.nspname, l.collname)
             from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
            where l.oid = ${collation} and ${collation} <> ${ofType})`;
}

const CREATE_COMPOSITES = `
  select 'pg_catalog.pg_type'::regclass, t.oid,
         array[format('create type %I.%I as (%s)', n.nspname, t.typname,
           (select string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                                     ${collateClause("a.attcollation", "at.typcollation")}), ', ' order by a.attnum)
              from pg_catalog.pg_attribute a join pg_catalog.pg_type at on at.oid = a.atttypid
             where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped))]
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
   where t.oid = any ($2) and t.typtype = 'c'`;

/** A check is added by itself: only so can it be NOT VALID. */
const CREATE_DOMAINS = `
  select 'pg_catalog.pg_type'::regclass, t.oid,
         array[format('create domain %I.%I as %s%s%s%s', n.nspname, t.typname,
                      format_type(t.typbasetype, t.typtypmod), ${collateClause("t.typcollation", "b.typcollation")},
                      ' default ' || coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)),
                      case when t.typnotnull then ' not null' end)] ||
         (select array_agg(format('alter domain %I.%I add constraint %I %s', n.nspname, t.typname, conname,
                                  pg_get_constraintdef(oid)) order by conname)
            from pg_catalog.pg_constraint where contypid = t.oid and contype = 'c')
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    join pg_catalog.pg_type b on b.oid = t.typbasetype
   where t.oid = any ($2) and t.typtype = 'd'`;

const CREATE_RANGES = `
  select 'pg_catalog.pg_type'::regclass, t.oid,
         array[format('create type %I.%I as range (subtype = %s, subtype_opclass = %I.%I%s%s%s, multirange_type_name = %I.%I)',
           n.nspname, t.typname, format_type(r.rngsubtype, null), on_.nspname, o.opcname,
           (select format(', collation = %I.%I', ln.nspname, l.collname)
              from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
             where l.oid = r.rngcollation),
           ', canonical = ' || nullif(r.rngcanonical::oid, 0)::regproc, ', subtype_diff = ' || nullif(r.rngsubdiff::oid, 0)::regproc,
           mn.nspname, m.typname)]
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    join pg_catalog.pg_range r on r.rngtypid = t.oid
    join pg_catalog.pg_opclass o on o.oid = r.rngsubopc
    join pg_catalog.pg_namespace on_ on on_.oid = o.opcnamespace
    join pg_catalog.pg_type m on m.oid = r.rngmultitypid
    join pg_catalog.pg_namespace mn on mn.oid = m.typnamespace
   where t.oid = any ($2)`;

/** Base types are not among them: they need a library. */
export const CREATE_TYPES: string = [CREATE_ENUMS, CREATE_COMPOSITES, CREATE_DOMAINS, CREATE_RANGES].join(
  "\n  union all",
);

import { tableKey, type CommonCollation, type CommonColumn, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { COLUMN_TYPE_COLUMNS, columnTypeOf, type ColumnTypeRow } from "../values.ts";
import { constantDefault } from "./constant-default.ts";

/** `$1`, `$2`: schemas and names of tables. */
export const GIVEN = `
  given as (
    select c.*, n.nspname from unnest($1::text[], $2::text[]) as g (schema, name)
      join pg_catalog.pg_namespace n on n.nspname = g.schema
      join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = g.name)`;

const OWN_SEQUENCE = `
  from pg_catalog.pg_depend o
  join pg_catalog.pg_sequence s on s.seqrelid = o.objid
 where o.classid = 'pg_catalog.pg_class'::regclass and o.refclassid = o.classid and o.refobjid = g.oid
   and o.refobjsubid = a.attnum
   and (o.deptype = 'i'
        or o.deptype = 'a' and pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\\(''.*''::regclass\\)$'
           and exists (select from pg_catalog.pg_depend f
                        where f.classid = 'pg_catalog.pg_attrdef'::regclass and f.objid = d.oid
                          and f.refclassid = o.classid and f.refobjid = o.objid))`;

const READ_COLUMNS = `
  with ${GIVEN}
  select g.nspname as "schema", g.relname as "table", a.attname as "name", ${COLUMN_TYPE_COLUMNS},
         format_type(a.atttypid, -1) as "baseType", a.atttypmod as "modifier",
         case when t.typtype = 'e' then array(select enumlabel::text from pg_catalog.pg_enum
                                               where enumtypid = t.oid order by enumsortorder) end as "labels",
         not (a.attnotnull and coalesce(nn.convalidated, true)) as "isNullable",
         (select s.seqincrement::text ${OWN_SEQUENCE} limit 1) as "increment",
         pg_get_expr(d.adbin, d.adrelid) as "expression", a.attgenerated::text as "generated",
         (select format('%I.%I', ln.nspname, l.collname)
            from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
           where l.oid = a.attcollation and not l.collisdeterministic) as "collation",
         (select format('collate %I.%I', ln.nspname, l.collname)
            from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
           where l.oid = a.attcollation and a.attcollation <> t.typcollation) as "collate"
    from given g
    join pg_catalog.pg_attribute a on a.attrelid = g.oid and a.attnum > 0 and not a.attisdropped
    cross join lateral (select a.atttypid as oid, a.atttypmod as modifier) c
    join pg_catalog.pg_type t on t.oid = a.atttypid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join pg_catalog.pg_attrdef d on d.adrelid = g.oid and d.adnum = a.attnum
    left join pg_catalog.pg_constraint nn on nn.conrelid = g.oid and nn.contype = 'n' and nn.conkey = array[a.attnum]
   order by g.oid, a.attnum`;

interface ColumnRow extends ColumnTypeRow {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly baseType: string;
  readonly modifier: number;
  readonly labels: readonly string[] | null;
  readonly isNullable: boolean;
  /** Of the sequence from which rows take it by themselves. */
  readonly increment: string | null;
  readonly expression: string | null;
  readonly generated: string;
  /** One by which texts of other bytes may be equal. */
  readonly collation: string | null;
  /** With another one than its type has. */
  readonly collate: string | null;
}

export interface CommonColumns {
  readonly columns: CommonColumn[];
  readonly leftOut: string[];
}

/** By `tableKey`; of columns that arrive. */
export async function readCommonColumns(
  client: Client,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, CommonColumns>> {
  const { rows } = await client.query<ColumnRow>(READ_COLUMNS, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  const found = new Map<string, CommonColumns>(
    tables.map((table) => [tableKey(table), { columns: [], leftOut: [] }]),
  );
  for (const row of rows) addColumn(row, found.get(tableKey({ schema: row.schema, name: row.table })));
  return found;
}

function addColumn(row: ColumnRow, table: CommonColumns | undefined): void {
  if (table === undefined) return;
  const { name, labels, isNullable, increment, expression, generated, collation } = row;
  const { type, nativeType } = columnTypeOf(row);
  if (generated !== "") {
    table.leftOut.push(`column ${name} ${nativeType} generated always as (${expression})`);
    return;
  }
  const isIdentity = increment !== null;
  if (isIdentity && increment !== "1") table.leftOut.push(`column ${name}: increment by ${increment}`);
  const sized = { type, nativeType, ...sizesOf(row) };
  const value =
    isIdentity || expression === null
      ? null
      : constantDefault(expression, { column: sized, baseType: row.baseType });
  if (value === undefined) table.leftOut.push(`column ${name} default ${expression}`);
  const definition = [
    nativeType,
    ...(row.collate === null ? [] : [row.collate]),
    ...(isIdentity || expression === null ? [] : [`default ${expression}`]),
    ...(isNullable ? [] : ["not null"]),
  ].join(" ");
  const common = { name, ...sized, labels, collation, isNullable, isIdentity, definition };
  table.columns.push({ ...common, default: value ?? null });
}

/** What may take texts for equal that are not the same. */
export function collationsOf(columns: readonly CommonColumn[]): CommonCollation[] {
  const names = new Map<string, string[]>();
  for (const { name, collation } of columns)
    if (collation !== null) names.set(collation, [...(names.get(collation) ?? []), name]);
  return [...names].map(([collation, own]) => ({ collation, columns: own }));
}

type Sizes = Pick<CommonColumn, "maxLength" | "precision" | "scale">;

const UNSIZED: Sizes = { maxLength: null, precision: null, scale: null };
/** Of times and intervals, where nothing else is said. */
const MICROSECONDS = 6;

/** What the server keeps in a type's modifier (its sources, "typmodin" of each type). */
function sizesOf({ typeSchema, typeName, modifier }: ColumnRow): Sizes {
  if (typeSchema !== "pg_catalog") return UNSIZED;
  switch (typeName) {
    case "varchar":
    case "bpchar":
      return { ...UNSIZED, maxLength: modifier < 0 ? null : modifier - 4 };
    case "bit":
    case "varbit":
      return { ...UNSIZED, maxLength: modifier < 0 ? null : modifier };
    case "numeric":
      if (modifier < 0) return UNSIZED;
      // The scale is 11 bits with a sign.
      return {
        ...UNSIZED,
        precision: ((modifier - 4) >> 16) & 0xffff,
        scale: (((modifier - 4) & 0x7ff) ^ 0x400) - 0x400,
      };
    case "time":
    case "timetz":
    case "timestamp":
    case "timestamptz":
      return { ...UNSIZED, scale: modifier < 0 ? MICROSECONDS : modifier };
    case "interval":
      return { ...UNSIZED, scale: Math.min(modifier & 0xffff, MICROSECONDS) };
    default:
      return UNSIZED;
  }
}

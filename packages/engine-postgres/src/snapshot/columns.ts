import type { Column, SourceTable, Table } from "@lockstep/core";
import type { Client } from "pg";
import { COLUMN_TYPE_COLUMNS, columnTypeOf, type ColumnTypeRow } from "../values.ts";
import { JSON_FORMAT } from "./json-rows.ts";

/** Names of what both ends of a copy understand: COPY in the server's binary format, or in its text format. */
export const BINARY_FORMAT = "postgres-binary";
export const TEXT_FORMAT = "postgres-text";

/**
 * Types whose binary form means the same on every server: no numbers of a server's own catalog (reg*, arrays and
 * composites of users' types), no form that depends on settings (xml, money), none of an extension's version.
 */
const BINARY_TYPES: ReadonlySet<string> = new Set(
  [
    "bool int2 int4 int8 float4 float8 numeric oid",
    "text varchar bpchar name char bytea bit varbit",
    "date time timetz timestamp timestamptz interval",
    "uuid json jsonb inet cidr macaddr macaddr8 pg_lsn",
    "point lseg box path polygon line circle tsvector tsquery",
  ].flatMap((names) => names.split(" ")),
);

/** A table of the primary as its stream would describe it, and how its rows can be read. */
export interface TableColumns {
  readonly table: Table;
  readonly formats: readonly string[];
}

interface ColumnRow extends ColumnTypeRow {
  readonly table: string;
  readonly name: string;
  readonly isKey: boolean;
  /** Of an array: its element's type. */
  readonly elementName: string | null;
}

const READ_COLUMNS = `
  select r.oid::text as "table", a.attname as "name", ${COLUMN_TYPE_COLUMNS},
         coalesce(a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]), false) as "isKey",
         case when en.nspname = 'pg_catalog' then e.typname end as "elementName"
    from unnest($1::pg_catalog.oid[]) r(oid)
    join pg_catalog.pg_class k on k.oid = r.oid
    join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    cross join lateral (select a.atttypid as oid, a.atttypmod as modifier) c
    join pg_catalog.pg_type t on t.oid = a.atttypid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A'
    left join pg_catalog.pg_namespace en on en.oid = e.typnamespace
    left join pg_catalog.pg_index i on i.indrelid = r.oid
              and case k.relreplident when 'i' then i.indisreplident else i.indisprimary end
   order by r.oid, a.attnum`;

/** By the table's identity. */
export async function readColumns(
  client: Client,
  tables: readonly SourceTable[],
): Promise<Map<string, TableColumns>> {
  const { rows } = await client.query<ColumnRow>(READ_COLUMNS, [
    tables.map(({ identity = "0" }) => identity),
  ]);
  const byTable = new Map<string, ColumnRow[]>();
  for (const row of rows) byTable.set(row.table, [...(byTable.get(row.table) ?? []), row]);
  return new Map(
    tables.map((table, id) => {
      const own = byTable.get(table.identity ?? "") ?? [];
      const isBinary = own.every(isBinaryType);
      const formats = [...(isBinary ? [BINARY_FORMAT] : []), TEXT_FORMAT, JSON_FORMAT];
      return [table.identity ?? "", { table: { ...table, id, columns: own.map(columnOf) }, formats }];
    }),
  );
}

function columnOf(row: ColumnRow): Column {
  return { name: row.name, isKey: row.isKey, ...columnTypeOf(row) };
}

function isBinaryType({ typeKind, typeSchema, typeName, category, elementName }: ColumnRow): boolean {
  if (typeKind === "e") return true; // By its label.
  if (typeKind !== "b") return false;
  if (category === "A") return elementName !== null && BINARY_TYPES.has(elementName);
  return typeSchema === "pg_catalog" && typeName !== null && BINARY_TYPES.has(typeName);
}

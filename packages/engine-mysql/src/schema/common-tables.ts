import { tableKey, type CommonTable, type TableName } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteIdentifier } from "../quoting.ts";
import type { Session } from "../session.ts";
import { among, nameOf } from "./among.ts";
import { readCommonColumns } from "./common-columns.ts";
import { noKeys, readCommonKeys, type CommonKeys } from "./common-keys.ts";

/** What tables are, in words that every engine has. Tables that are gone are left out. */
export async function readCommonTables(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<CommonTable[]> {
  const columns = await readCommonColumns(session, flavour, tables);
  const keys = await readCommonKeys(session, flavour, tables);
  const others = await readOthers(session, flavour, tables);
  return tables.flatMap(({ schema, name }): CommonTable[] => {
    const key = tableKey({ schema, name });
    const own = columns.get(key);
    if (own === undefined) return [];
    const { primaryKey, uniques, indexes, foreignKeys, leftOut } = keysOn(
      own.columns,
      keys.get(key) ?? noKeys(),
    );
    return [
      {
        schema,
        name,
        columns: own.columns,
        primaryKey,
        uniques,
        indexes,
        foreignKeys,
        collations: own.collations,
        leftOut: [...own.leftOut, ...leftOut, ...(others.get(key) ?? [])],
      },
    ];
  });
}

/** Without those of columns that no replica gets. */
function keysOn(columns: CommonTable["columns"], keys: CommonKeys): CommonKeys {
  const carried = new Set(columns.map(({ name }) => name));
  const isCarried = (key: { readonly columns: readonly string[] }): boolean =>
    key.columns.every((column) => carried.has(column));
  const wordsOf = (kind: string) => (key: { readonly name: string; readonly columns: readonly string[] }) =>
    `${kind} ${quoteIdentifier(key.name)} (${key.columns.map(quoteIdentifier).join(", ")})`;
  const without = <T extends { readonly name: string; readonly columns: readonly string[] }>(
    list: readonly T[],
    kind: string,
  ): string[] => list.filter((key) => !isCarried(key)).map(wordsOf(kind));
  return {
    primaryKey: keys.primaryKey,
    uniques: keys.uniques.filter(isCarried),
    indexes: keys.indexes.filter(isCarried),
    foreignKeys: keys.foreignKeys.filter(isCarried),
    leftOut: [
      ...keys.leftOut,
      ...without(keys.uniques, "unique index"),
      ...without(keys.indexes, "index"),
      ...without(keys.foreignKeys, "foreign key"),
    ],
  };
}

/** Checks, partitions and comments, in the server's own words. */
async function readOthers(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const sql of [checks(flavour, tables), partitions(tables), comments(tables)]) {
    for (const row of await session.query(sql)) {
      const key = tableKey(nameOf(row));
      found.set(key, [...(found.get(key) ?? []), row["words"] ?? ""]);
    }
  }
  return found;
}

/** MySQL's clause has its own parentheses. */
function checks(flavour: Flavour, tables: readonly TableName[]): string {
  if (flavour === "mariadb")
    return `select constraint_schema as \`schema\`, table_name as name, concat('check (', check_clause, ')') as words
              from information_schema.check_constraints where ${among(tables, ["constraint_schema", "table_name"])}
             order by constraint_name`;
  return `select t.table_schema as \`schema\`, t.table_name as name, concat('check ', c.check_clause) as words
            from information_schema.table_constraints t
            join information_schema.check_constraints c
              on c.constraint_schema = t.constraint_schema and c.constraint_name = t.constraint_name
           where t.constraint_type = 'CHECK' and ${among(tables, ["t.table_schema", "t.table_name"])}
           order by c.constraint_name`;
}

function partitions(tables: readonly TableName[]): string {
  return `select distinct table_schema as \`schema\`, table_name as name,
                 concat('partition by ', lower(partition_method), ' (', coalesce(partition_expression, ''), ')') as words
            from information_schema.partitions where partition_name is not null and ${among(tables)}`;
}

function comments(tables: readonly TableName[]): string {
  return `select table_schema as \`schema\`, table_name as name, 'comment of the table' as words
            from information_schema.tables where table_comment <> '' and ${among(tables)}`;
}

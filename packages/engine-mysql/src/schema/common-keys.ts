import {
  tableKey,
  type CommonForeignKey,
  type CommonIndex,
  type ForeignKeyAction,
  type TableName,
} from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteIdentifier } from "../quoting.ts";
import type { Session, TextRow } from "../session.ts";
import { among, nameOf } from "./among.ts";

/** A table's keys and indexes in common words, and what these cannot say. */
export interface CommonKeys {
  primaryKey: readonly string[] | null;
  readonly uniques: CommonIndex[];
  readonly indexes: CommonIndex[];
  readonly foreignKeys: CommonForeignKey[];
  readonly leftOut: string[];
}

/** By `tableKey`. */
export async function readCommonKeys(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<Map<string, CommonKeys>> {
  const found = new Map<string, CommonKeys>(tables.map((table) => [tableKey(table), noKeys()]));
  for (const rows of grouped(await readIndexRows(session, flavour, tables))) {
    const keys = found.get(tableKey(nameOf(rows[0] ?? {})));
    if (keys !== undefined) readIndex(keys, rows);
  }
  for (const rows of grouped(await readForeignKeyRows(session, tables)))
    found.get(tableKey(nameOf(rows[0] ?? {})))?.foreignKeys.push(foreignKeyOf(rows));
  return found;
}

export function noKeys(): CommonKeys {
  return { primaryKey: null, uniques: [], indexes: [], foreignKeys: [], leftOut: [] };
}

async function readIndexRows(
  session: Session,
  flavour: Flavour,
  tables: readonly TableName[],
): Promise<TextRow[]> {
  const expression = flavour === "mysql" ? "expression" : "null"; // MariaDB has no indexes on expressions.
  return await session.query(
    `select table_schema as \`schema\`, table_name as name, index_name as i, non_unique as multiple, column_name as col,
            sub_part as part, collation as sorted, index_type as kind, ${expression} as expression
       from information_schema.statistics where ${among(tables)} order by table_schema, table_name, index_name, seq_in_index`,
  );
}

async function readForeignKeyRows(session: Session, tables: readonly TableName[]): Promise<TextRow[]> {
  return await session.query(
    `select r.constraint_schema as \`schema\`, r.table_name as name, r.constraint_name as i, k.column_name as col,
            k.referenced_table_schema as parentSchema, k.referenced_table_name as parent,
            k.referenced_column_name as parentCol, r.update_rule as onUpdate, r.delete_rule as onDelete
       from information_schema.referential_constraints r
       join information_schema.key_column_usage k
         on k.constraint_schema = r.constraint_schema and k.constraint_name = r.constraint_name and k.table_name = r.table_name
      where k.referenced_table_name is not null and ${among(tables, ["r.constraint_schema", "r.table_name"])}
      order by r.constraint_schema, r.table_name, r.constraint_name, k.ordinal_position`,
  );
}

/** Rows of one index, or of one constraint, together. */
function grouped(rows: readonly TextRow[]): TextRow[][] {
  const groups = new Map<string, TextRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([nameOf(row), row["i"]]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function readIndex(keys: CommonKeys, rows: readonly TextRow[]): void {
  const [first = {}] = rows;
  const name = first["i"] ?? "";
  const isUnique = first["multiple"] === "0";
  const kind = first["kind"] ?? "";
  const isOnColumns = rows.every((row) => row["col"] !== null && row["part"] === null);
  const columns = rows.map((row) => row["col"] ?? "");
  const isPlain = kind === "BTREE" || kind === "HASH";
  if (!isOnColumns || !isPlain) {
    // Of a place the first 32 bytes: that says nothing.
    const parts = rows.map((row) => partOf(kind === "SPATIAL" ? { ...row, part: null } : row)).join(", ");
    const words =
      name === "PRIMARY" ? "primary key" : `${isUnique ? "unique " : ""}index ${quoteIdentifier(name)}`;
    keys.leftOut.push(`${isPlain ? "" : `${kind.toLowerCase()} `}${words} (${parts})`);
    // Rows are found by the whole of it, whose beginnings are no two alike.
    if (name === "PRIMARY") keys.primaryKey = columns;
    return;
  }
  const descending = rows.flatMap((row) => (row["sorted"] === "D" ? [row["col"] ?? ""] : []));
  if (name !== "PRIMARY") {
    (isUnique ? keys.uniques : keys.indexes).push({ name, columns, descending });
    return;
  }
  keys.primaryKey = columns;
  if (descending.length > 0)
    keys.leftOut.push(`the order of the primary key (${rows.map(partOf).join(", ")})`);
}

function partOf(row: TextRow): string {
  const { col, part, sorted, expression } = row;
  const order = sorted === "D" ? " desc" : "";
  if (col === null || col === undefined) return `(${expression ?? ""})${order}`;
  return quoteIdentifier(col) + (part === null ? "" : `(${part})`) + order;
}

function foreignKeyOf(rows: readonly TextRow[]): CommonForeignKey {
  const [first = {}] = rows;
  return {
    name: first["i"] ?? "",
    columns: rows.map((row) => row["col"] ?? ""),
    references: { schema: first["parentSchema"] ?? "", name: first["parent"] ?? "" },
    referencedColumns: rows.map((row) => row["parentCol"] ?? ""),
    onDelete: actionOf(first["onDelete"] ?? ""),
    onUpdate: actionOf(first["onUpdate"] ?? ""),
  };
}

const ACTIONS: readonly ForeignKeyAction[] = ["restrict", "cascade", "set null", "set default"];

function actionOf(rule: string): ForeignKeyAction {
  return ACTIONS.find((action) => action === rule.toLowerCase()) ?? "no action";
}

import { NOT_CARRIED, schemaMismatch, type Cell, type Column, type Row, type Table } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteText } from "../quoting.ts";
import { columnWords, WORDS_OF_COLUMN } from "../schema/column-words.ts";
import type { Dialect } from "../schema/type-rules.ts";
import type { WholeTable } from "../schema/whole-table.ts";
import type { Session, TextRow } from "../session.ts";
import { literalFor, UnfitValue, type Literal } from "./literal.ts";
import { matchTable } from "./match-table.ts";
import type { CatalogColumn, TargetKind } from "./target-type.ts";

/** How one column of the replica is written. */
export interface TargetColumn {
  readonly name: string;
  readonly quoted: string;
  readonly isKey: boolean;
  /** The replica makes its own value. */
  readonly isGenerated: boolean;
  readonly kind: TargetKind | null;
  readonly literal: Literal;
  /** The value as it is compared with the column. */
  readonly comparison: Literal;
  /** Of a text: what a value of a list must be made before it is compared with the column. */
  readonly charset: string | null;
  readonly collation: string | null;
  readonly fillsNull: boolean;
}

/** What a source's table is in the replica, checked. */
export interface TablePlan {
  readonly table: Table;
  readonly quoted: string;
  /** In the order of the source's columns. */
  readonly columns: readonly TargetColumn[];
  /** Empty: a table without a key, whose rows are found by all that they hold. */
  readonly keyColumns: readonly number[];
  /** What stands before each row of a VALUES list. */
  readonly rowWord: "row" | "";
}

export interface PlanOptions {
  readonly session: Session;
  readonly replica: string;
  readonly isMariadb: boolean;
  /** Whose words the primary's native types are; default: the replica's own. */
  readonly dialect?: Dialect | undefined;
}

/**
 * Compares the source's table with the replica's; `schema-mismatch` names all that differs and the fix. `whole`: the
 * source's table as its catalog has it, where that is known; what its rows do not tell is compared only then.
 */
export async function planTable(options: PlanOptions, table: Table, whole?: WholeTable): Promise<TablePlan> {
  const { session, replica, isMariadb } = options;
  const flavour = isMariadb ? "mariadb" : "mysql";
  const there = {
    rows: await readColumns(session, table, flavour),
    indexes: await readUniqueIndexes(session, table),
    engine: await readEngine(session, table),
  };
  const matched = matchTable(table, there, { dialect: options.dialect, flavour, whole });
  if ("plan" in matched) return matched.plan;
  throw schemaMismatch(replica, table, matched.differences);
}

/** The columns that take no value of the primary's. */
export async function readUnfit(session: Session, table: Table, flavour: Flavour): Promise<Set<string>> {
  const targets = new Map(
    (await readColumns(session, table, flavour)).map((row) => [row.name.toLowerCase(), row]),
  );
  const isUnfit = ({ name, type }: Column): boolean => {
    const target = targets.get(name.toLowerCase());
    return target === undefined || (!target.isGenerated && literalFor(type, target) === null);
  };
  return new Set(table.columns.filter(isUnfit).map(({ name }) => name));
}

/** Null: it is no table, or not there. */
async function readEngine(session: Session, { schema, name }: Table): Promise<string | null> {
  const [row] = await session.query(
    `select engine as e from information_schema.tables
      where table_schema = ${quoteText(schema)} and table_name = ${quoteText(name)} and table_type <> 'VIEW'`,
  );
  return row?.["e"] ?? null;
}

async function readColumns(
  session: Session,
  { schema, name }: Table,
  flavour: Flavour,
): Promise<CatalogColumn[]> {
  const rows = await session.query(
    `select column_name as n, data_type as d, character_set_name as cs, numeric_scale as s, datetime_precision as p,
            ${WORDS_OF_COLUMN}
       from information_schema.columns
      where table_schema = ${quoteText(schema)} and table_name = ${quoteText(name)} order by ordinal_position`,
  );
  return rows.map((row) => catalogColumn(row, flavour));
}

function catalogColumn(row: TextRow, flavour: Flavour): CatalogColumn {
  const text = (name: string): string => row[name] ?? "";
  const isNullable = text("nullable") === "YES";
  const fills = /auto_increment|default_generated/i.test(text("more"));
  return {
    name: text("n"),
    dataType: text("d").toLowerCase(),
    columnType: text("type"),
    charset: row["cs"] ?? null,
    collation: row["collation"] ?? null,
    scale: Number(row["s"] ?? row["p"] ?? 0),
    isGenerated: text("made") !== "",
    definition: columnWords(row, flavour),
    isRequired: !isNullable && (row["dflt"] ?? null) === null && !fills,
    fillsNull: !isNullable && /timestamp|auto_increment/i.test(text("d") + text("more")),
  };
}

/** The columns of each unique index; one that compares only the beginning of a value, or an expression, is none. */
async function readUniqueIndexes(session: Session, { schema, name }: Table): Promise<string[][]> {
  const rows = await session.query(
    `select index_name as i, column_name as c, sub_part as p from information_schema.statistics
      where table_schema = ${quoteText(schema)} and table_name = ${quoteText(name)} and non_unique = 0`,
  );
  const columns = new Map<string, string[]>();
  const partial = new Set<string>();
  for (const row of rows) {
    const index = row["i"] ?? "";
    const column = row["c"] ?? null;
    if (column === null || (row["p"] ?? null) !== null) partial.add(index);
    else columns.set(index, [...(columns.get(index) ?? []), column]);
  }
  return [...columns].filter(([index]) => !partial.has(index)).map(([, names]) => names);
}

/** SQL for a cell that is carried. Throws `UnfitValue`, which names the column. */
export function cellSql(column: TargetColumn, cell: Cell | undefined): string {
  return sqlOf(column, column.literal, cell);
}

/** As `cellSql`, for a comparison with the column. */
export function comparedSql(column: TargetColumn, cell: Cell | undefined): string {
  return sqlOf(column, column.comparison, cell);
}

function sqlOf(column: TargetColumn, literal: Literal, cell: Cell | undefined): string {
  try {
    if (typeof cell === "string") return literal(cell);
    if (column.fillsNull) throw new UnfitValue("a NULL, in the place of which the server puts a value");
    return "NULL"; // As LOAD DATA knows it, too.
  } catch (error) {
    if (!(error instanceof UnfitValue)) throw error;
    throw new UnfitValue(`column ${column.name}: ${error.message}`);
  }
}

/** Those that the replica does not make by itself. */
export function writtenColumns({ columns }: TablePlan): number[] {
  return columns.flatMap(({ isGenerated }, index) => (isGenerated ? [] : [index]));
}

/** The columns that a row carries, that are not its key, and that are written. */
export function settableColumns({ columns }: TablePlan, row: Row): number[] {
  return columns.flatMap(({ isKey, isGenerated }, index) =>
    !isKey && !isGenerated && row[index] !== NOT_CARRIED ? [index] : [],
  );
}

/** By its index in the source's row. */
export function columnOf(plan: TablePlan, index: number): TargetColumn {
  const column = plan.columns[index];
  if (column === undefined) throw new TypeError(`table ${plan.quoted} has no column ${index}`);
  return column;
}

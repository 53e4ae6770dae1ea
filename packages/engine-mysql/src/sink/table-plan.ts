import {
  NOT_CARRIED,
  ReplicationError,
  tableLabel,
  type Cell,
  type Column,
  type Row,
  type Table,
} from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteIdentifier, quoteTable, quoteText } from "../quoting.ts";
import { columnWords, WORDS_OF_COLUMN } from "../schema/column-words.ts";
import type { Dialect } from "../schema/type-rules.ts";
import type { WholeTable } from "../schema/whole-table.ts";
import type { Session, TextRow } from "../session.ts";
import { requireToldApart } from "./key-collation.ts";
import { comparisonFor, literalFor, UnfitValue, type Literal } from "./literal.ts";
import { requireLabels } from "./labels.ts";
import { Mismatch } from "./mismatch.ts";
import { postgresLiteral } from "./postgres-literal.ts";
import { targetKindOf, type CatalogColumn, type TargetKind } from "./target-type.ts";

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
 * Compares the source's table with the replica's; `schema-mismatch` names what differs and the fix. `whole`: the
 * source's table as its catalog has it, where that is known; what its rows do not tell is compared only then.
 */
export async function planTable(options: PlanOptions, table: Table, whole?: WholeTable): Promise<TablePlan> {
  const { session, replica, isMariadb } = options;
  const flavour = isMariadb ? "mariadb" : "mysql";
  const [columns, indexes] = [
    await readColumns(session, table, flavour),
    await readUniqueIndexes(session, table),
  ];
  try {
    requireTransactions(table, await readEngine(session, table));
    const plan = matchTable(table, columns, indexes, { ...options, whole });
    requireKeysToldApart(plan, columns, whole, options);
    requireLabels(plan, columns, whole);
    return plan;
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const label = tableLabel(table);
    throw new ReplicationError("schema-mismatch", `table ${label} on replica ${replica}: ${error.message}`, {
      fix: error.fix,
      fields: { replica, table: label },
    });
  }
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

/** What is written elsewhere stays where the target transaction is rolled back (A3, A4). */
function requireTransactions(table: Table, engine: string | null): void {
  if (engine === null) throw new Mismatch("it does not exist", "create it there as it is on the primary");
  if (engine === "InnoDB") return;
  throw new Mismatch(
    `its storage engine, ${engine}, has no transactions that hold with others`,
    `run there: alter table ${quoteTable(table)} engine = InnoDB`,
  );
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

function matchTable(
  table: Table,
  rows: readonly CatalogColumn[],
  indexes: readonly (readonly string[])[],
  { isMariadb, dialect, whole }: PlanOptions & { readonly whole: WholeTable | undefined },
): TablePlan {
  // The replica generates its own; the source's own are not written.
  const targets = new Map(rows.map((row) => [row.name.toLowerCase(), row]));
  const columns = table.columns.map((column) => {
    const target = targets.get(column.name.toLowerCase());
    targets.delete(column.name.toLowerCase());
    return matchColumn(table, column, target, { dialect, whole });
  });
  for (const surplus of targets.values()) {
    // No columns: of a table that was only ever truncated, no more is known.
    if (!surplus.isRequired || surplus.isGenerated || table.columns.length === 0) continue;
    throw new Mismatch(
      `column ${surplus.name} is not on the primary, and every row needs a value for it`,
      `run there: alter table ${quoteTable(table)} alter column ${quoteIdentifier(surplus.name)} set default …`,
    );
  }
  const keyColumns = table.columns.flatMap((column, index) => (column.isKey ? [index] : []));
  if (keyColumns.length > 0)
    requireKey(
      keyColumns.map((index) => columns[index]?.name ?? ""),
      indexes,
    );
  return { table, quoted: quoteTable(table), columns, keyColumns, rowWord: isMariadb ? "" : "row" };
}

function requireKey(key: readonly string[], indexes: readonly (readonly string[])[]): void {
  const wanted = JSON.stringify(key.toSorted());
  if (indexes.some((columns) => JSON.stringify(columns.toSorted()) === wanted)) return;
  const names = key.map(quoteIdentifier).join(", ");
  throw new Mismatch(
    "its primary key is another",
    `give it the primary's primary key, or a unique index on (${names})`,
  );
}

function requireKeysToldApart(
  { table, columns, keyColumns }: TablePlan,
  catalog: readonly CatalogColumn[],
  whole: WholeTable | undefined,
  { isMariadb, dialect: given }: PlanOptions,
): void {
  for (const index of keyColumns) {
    const [target, source] = [columns[index], table.columns[index]];
    const row = catalog.find(({ name }) => name === target?.name);
    if (target === undefined || row === undefined) continue;
    const of = whole?.common.columns.find(({ name }) => name === source?.name);
    const flavour = isMariadb ? "mariadb" : "mysql";
    requireToldApart({ table, target, catalog: row, common: of, dialect: given ?? flavour, flavour });
  }
}

function matchColumn(
  table: Table,
  column: Column,
  target: CatalogColumn | undefined,
  { dialect, whole }: { readonly dialect: Dialect | undefined; readonly whole: WholeTable | undefined },
): TargetColumn {
  const { name, type, nativeType, isKey } = column;
  const alter = `run there: alter table ${quoteTable(table)}`;
  if (target === undefined)
    throw new Mismatch(
      `column ${name} is missing`,
      `if it was renamed on the primary, rename it there; only if it is new, ${alter} add column ${quoteIdentifier(name)} ${whole?.definitionOf(name) ?? `… (on the primary it is ${nativeType}; lockstep check says all of it)`}`,
    );
  const written = dialect === "postgres" ? postgresLiteral(column, target) : literalFor(type, target);
  const literal = written ?? (target.isGenerated ? quoteText : null);
  if (literal === null)
    throw new Mismatch(
      `column ${name} is ${target.columnType}, which does not hold every ${nativeType} of the primary`,
      `${alter} modify column ${quoteIdentifier(name)} … to a type that does`,
    );
  return {
    name: target.name,
    quoted: quoteIdentifier(target.name),
    isKey,
    isGenerated: target.isGenerated,
    kind: targetKindOf(target),
    literal,
    comparison: comparisonFor(literal, target),
    charset: target.charset,
    collation: target.collation,
    fillsNull: target.fillsNull,
  };
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

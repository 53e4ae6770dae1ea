import { NOT_CARRIED, type Cell, type Folded, type FoldedTable, type Row } from "@lockstep/core";
import { columnLiteral, literalOf } from "./array-literal.ts";
import type { Statement } from "./batch.ts";
import { sameIdentity } from "./row-statements.ts";
import { carriedColumns, sentText, type TablePlan, type TargetColumn } from "./table-plan.ts";

/**
 * The statements of a folded window: truncates, then table by table deletes, updates, inserts. Each raises
 * when it does not meet exactly the rows it names; then the window is applied in order instead.
 */
export function bulkStatements(
  folded: Extract<Folded, { kind: "bulk" }>,
  planOf: (table: FoldedTable) => TablePlan,
): Statement[] {
  const statements: Statement[] = [];
  const truncated = folded.tables.filter((table) => table.isTruncated);
  if (truncated.length > 0) {
    const restart = truncated.some((table) => table.restartIdentity) ? " restart identity" : "";
    const names = truncated.map((table) => planOf(table).target).join(", ");
    statements.push({ text: `truncate ${names}${restart}`, values: [] });
  }
  for (const table of folded.tables) {
    const plan = planOf(table);
    if (table.deletes.length > 0) statements.push(deleteStatement(plan, table.deletes));
    for (const rows of table.updates) {
      const statement = updateStatement(plan, rows);
      if (statement !== null) statements.push(statement);
    }
    if (table.inserts.length > 0) statements.push(insertStatement(plan, table.inserts));
  }
  return statements;
}

function deleteStatement(plan: TablePlan, rows: readonly Row[]): Statement {
  const given = new Given(plan, rows);
  const condition = given.keyCondition();
  return given.expecting(
    `delete from ${plan.target} as t ${given.clause("using")} where ${condition} returning 1`,
  );
}

/**
 * Null when the rows carry nothing but their key: the row stays as it is. A row whose column that no UPDATE can
 * set is another is not met.
 */
function updateStatement(plan: TablePlan, rows: readonly Row[]): Statement | null {
  const { settable, fixed } = carriedColumns(plan, rows[0] ?? []);
  if (settable.length + fixed.length === 0) return null;
  const given = new Given(plan, rows);
  const assignments = settable
    .map((index) => `${columnOf(plan, index).quoted} = ${given.value(index)}`)
    .join(", ");
  const unchanged = fixed.map((index) => sameIdentity(columnOf(plan, index).quoted, given.value(index)));
  const condition = [given.keyCondition(), ...unchanged].join(" and ");
  return given.expecting(
    settable.length === 0
      ? `select from ${plan.target} as t ${given.clause(",")} where ${condition}`
      : `update ${plan.target} as t set ${assignments} ${given.clause("from")} where ${condition} returning 1`,
  );
}

/** A plain insert: a row that is there already raises by itself. */
function insertStatement(plan: TablePlan, rows: readonly Row[]): Statement {
  const given = new Given(plan, rows);
  const names = plan.columns.map((column) => column.quoted).join(", ");
  const values = plan.columns.map((_, index) => given.value(index)).join(", ");
  const source = rows.length === 1 ? `values (${values})` : `select ${values} ${given.clause("from")}`;
  return given.statement(`insert into ${plan.quoted} (${names}) overriding system value ${source}`);
}

/** The rows as parameters: of a single row its cells, of several one array a column. */
class Given {
  readonly #plan: TablePlan;
  readonly #rows: readonly Row[];
  readonly #values: (string | null)[] = [];
  readonly #types: string[] = [];
  readonly #aliases: string[] = [];

  constructor(plan: TablePlan, rows: readonly Row[]) {
    this.#plan = plan;
    this.#rows = rows;
  }

  /** SQL for the given value of a column; adds its parameter. */
  value(index: number): string {
    const column = columnOf(this.#plan, index);
    const [only] = this.#rows;
    if (this.#rows.length === 1 && only !== undefined) {
      this.#values.push(sentText(column, only[index]));
      return `$${this.#values.length}::${column.typeName}`;
    }
    const type = this.#plan.table.columns[index]?.type ?? "other";
    this.#values.push(
      column.foreign === null
        ? columnLiteral(this.#rows, index, type)
        : literalOf(this.#rows, type, (row) => sentText(column, carried(row[index]))),
    );
    const alias = `c${index}`;
    this.#aliases.push(alias);
    this.#types.push(
      `$${this.#values.length}::${column.isThroughText ? "pg_catalog.text" : column.typeName}[]`,
    );
    return column.isThroughText ? `g.${alias}::${column.typeName}` : `g.${alias}`;
  }

  keyCondition(): string {
    const { keyColumns } = this.#plan;
    return keyColumns
      .map((index) => {
        const { quoted, equals, comparedAs } = columnOf(this.#plan, index);
        return `t.${quoted}${comparedAs} ${equals} ${this.value(index)}${comparedAs}`;
      })
      .join(" and ");
  }

  /** The list of rows, once every value has been named; nothing for a single row. */
  clause(word: "from" | "using" | ","): string {
    if (this.#rows.length === 1) return "";
    return `${word} unnest(${this.#types.join(", ")}) as g(${this.#aliases.join(", ")})`;
  }

  /** A statement that raises unless it returns as many rows as were given. */
  expecting(text: string): Statement {
    this.#values.push(String(this.#rows.length));
    return this.statement(
      `with changed as (${text}) select lockstep.expect((select count(*) from changed), $${this.#values.length}::int8)`,
    );
  }

  statement(text: string): Statement {
    return { text, values: this.#values };
  }
}

function carried(cell: Cell | undefined): Cell {
  if (cell === undefined || cell === NOT_CARRIED)
    throw new TypeError("a cell that was not carried cannot be written");
  return cell;
}

function columnOf(plan: TablePlan, index: number): TargetColumn {
  const column = plan.columns[index];
  if (column === undefined) throw new TypeError(`table ${plan.quoted} has no column ${index}`);
  return column;
}

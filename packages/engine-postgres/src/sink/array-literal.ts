import { NOT_CARRIED, type Cell, type LogicalType, type Row } from "@lockstep/core";

/** Types whose text never holds a character that an array literal would read as its own. */
const PLAIN: ReadonlySet<LogicalType> = new Set<LogicalType>([
  "boolean",
  "int16",
  "int32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "decimal",
  "uuid",
]);

/** Literals of rows that several replicas apply, by column. */
const literals = new WeakMap<readonly Row[], Map<number, string>>();

/** One column of the rows as the text of a PostgreSQL array; made once, however many replicas ask. */
export function columnLiteral(rows: readonly Row[], column: number, type: LogicalType): string {
  let known = literals.get(rows);
  if (known === undefined) literals.set(rows, (known = new Map()));
  let literal = known.get(column);
  if (literal === undefined) known.set(column, (literal = literalOf(rows, type, (row) => row[column])));
  return literal;
}

/** The same of what `cellOf` gives for each row, which is not remembered. */
export function literalOf(
  rows: readonly Row[],
  type: LogicalType,
  cellOf: (row: Row) => Cell | undefined,
): string {
  const isPlain = PLAIN.has(type);
  let text = "{";
  let separator = "";
  for (const row of rows) {
    text += separator + element(cellOf(row), isPlain);
    separator = ",";
  }
  return `${text}}`;
}

const ESCAPED = /["\\]/;
const ALL_ESCAPED = /["\\]/g;

/** Everything but plain types is quoted: so the word NULL, blanks, braces and commas are text. */
function element(cell: Cell | undefined, isPlain: boolean): string {
  if (cell === null) return "NULL";
  if (cell === undefined || cell === NOT_CARRIED)
    throw new TypeError("a cell that was not carried cannot be written");
  if (isPlain) return cell;
  return ESCAPED.test(cell) ? `"${cell.replace(ALL_ESCAPED, "\\$&")}"` : `"${cell}"`;
}

import type { Row } from "@lockstep/core";
import type { Connected } from "../connection.ts";
import { cellSql, columnOf, type TablePlan, type TargetColumn } from "./table-plan.ts";
import type { TargetKind } from "./target-type.ts";

/** The server lets clients load, and has not said otherwise to this one. */
export function mayLoad({ session, server }: Connected): boolean {
  return server.takesLoads && !session.hasRefusedLoad;
}

/** Fewer are sent sooner as values of an INSERT. */
export const MIN_LOADED_ROWS = 200;

/** The server reads one while the next is made. */
const MAX_TEXT_CHARS = 128 * 1024;

/** What makes a field's text what the column takes, where it would be taken for something else. */
const CONVERTED: Readonly<Partial<Record<TargetKind, (given: string) => string>>> = {
  bytes: (given) => `unhex(${given})`,
  geometry: (given) => `unhex(${given})`,
  vector: (given) => `unhex(${given})`,
  bit: (given) => `cast(conv(${given}, 2, 10) as unsigned)`,
  year: (given) => `cast(${given} as signed)`,
};
/** What may be AUTO_INCREMENT: MariaDB gives a 0 that stands beside a conversion a new number, unless it is assigned. */
const NUMBERED: readonly (TargetKind | null)[] = ["integer", "float", "double"];
/** Digits in SQL's own marks: X'ff', b'01'. */
const MARKED = /^[Xb]'/;

/**
 * The rows of a table as LOAD DATA LOCAL takes them: the same texts as in a VALUES list, a row a line. What the server
 * cannot take as it is, also a row that is there already, it tells in warnings and goes on: whoever loads counts both.
 */
export class LoadedRows {
  readonly sql: string;
  readonly #columns: readonly (readonly [TargetColumn, number, isConverted: boolean])[];

  /** `into`: quoted; the plan's table, or one with its columns. `columns`: those of the plan's that are written. */
  constructor(plan: TablePlan, into: string, columns: readonly number[]) {
    const written = columns.map((index) => [columnOf(plan, index), index] as const);
    const isConverted = ({ kind }: TargetColumn): boolean => kind !== null && kind in CONVERTED;
    const isSet = written.some(([column]) => isConverted(column));
    const targets: string[] = [];
    const conversions: string[] = [];
    for (const [column, index] of written) {
      const { kind, quoted } = column;
      const convert = kind === null ? undefined : CONVERTED[kind];
      const isAssigned = convert !== undefined || (isSet && NUMBERED.includes(kind));
      targets.push(isAssigned ? `@v${index}` : quoted);
      if (isAssigned) conversions.push(`${quoted} = ${convert?.(`@v${index}`) ?? `@v${index}`}`);
    }
    this.#columns = written.map(([column, index]) => [column, index, isConverted(column)]);
    const set = conversions.length === 0 ? "" : ` set ${conversions.join(", ")}`;
    // As our literals are quoted; NULL is a word only where values may be enclosed.
    this.sql = `load data local infile 'rows' into table ${into} character set utf8mb4
      fields terminated by ',' optionally enclosed by '\\'' escaped by '\\\\' lines terminated by '\\n'
      (${targets.join(", ")})${set}`;
  }

  /** The lines of rows, many in each. Throws as `line` does. */
  *texts(rows: Iterable<Row>): Generator<string> {
    let text = "";
    for (const row of rows) {
      text += this.line(row);
      if (text.length < MAX_TEXT_CHARS) continue;
      yield text;
      text = "";
    }
    if (text !== "") yield text;
  }

  /** With its end. Throws `UnfitValue`, which names the column. */
  line(row: Row): string {
    let line = "";
    let separator = "";
    for (const [column, index, isConverted] of this.#columns) {
      const sql = cellSql(column, row[index]);
      line += separator + (isConverted && MARKED.test(sql) ? sql.slice(2, -1) : sql);
      separator = ",";
    }
    return `${line}\n`;
  }
}

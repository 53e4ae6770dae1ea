import {
  columnList,
  tableKey,
  type ColumnsOf,
  type CommonColumn,
  type CommonTable,
  type Finding,
  type TableArrival,
} from "@lockstep/core";
import { createdType } from "../schema/type-rules.ts";

/** Values of MySQL or MariaDB that PostgreSQL does not have, and which columns may hold them. */
interface Halting {
  readonly values: string;
  /** `nativeType`: what the column is on the replica, or becomes. */
  readonly mayHold: (column: CommonColumn, nativeType: string) => boolean;
  readonly fix: string;
}

const DATES: readonly string[] = ["date", "timestamp", "timestamptz"];
const hasNul = (labels: readonly string[] | null): boolean =>
  labels?.some((label) => label.includes("\0")) === true;

const HALTING: readonly Halting[] = [
  {
    values: "a date with a year, month or day of zero",
    mayHold: ({ type }, nativeType) => DATES.includes(type) && /^(?:date|timestamp)/.test(nativeType),
    fix: "make such dates NULL on the primary, and let it take no others (strict mode with NO_ZERO_DATE and NO_ZERO_IN_DATE in sql_mode), or create the table there yourself with these columns as texts",
  },
  {
    values: "a text that holds the character U+0000",
    mayHold: ({ type, nativeType: native, labels }) => {
      if (type === "enum" || type === "set") return hasNul(labels);
      return type === "string" && !/^inet[46]$/.test(native);
    },
    fix: "take it out on the primary (replace(…, char(0 using utf8mb4), '')), or have what is no text in a column of bytes there, which becomes bytea",
  },
  {
    values: "a document that holds -0 or the character U+0000",
    mayHold: ({ type }, nativeType) => type === "json" && nativeType === "jsonb",
    fix: "have these columns as json there, or take such documents out on the primary",
  },
];

/** One finding for each kind of values, however many tables may hold them. */
export function findHalting(
  tables: readonly CommonTable[],
  arrivals: ReadonlyMap<string, TableArrival>,
  replica: string,
): Finding[] {
  return HALTING.flatMap(({ values, mayHold, fix }): Finding[] => {
    const found = tables.flatMap(({ columns, ...table }): ColumnsOf[] => {
      const types = arrivals.get(tableKey(table))?.columns;
      if (types === undefined) return [];
      // One that is missing there is added as it would be created.
      const names = columns
        .filter((column) => mayHold(column, types.get(column.name) ?? createdType(column)))
        .map(({ name }) => name);
      return names.length === 0 ? [] : [{ table, columns: names }];
    });
    if (found.length === 0) return [];
    const what = `replica ${replica} halts at ${values}, which PostgreSQL does not have and these may hold: ${columnList(found)}`;
    return [{ level: "info", code: "left-out", what, fix }];
  });
}

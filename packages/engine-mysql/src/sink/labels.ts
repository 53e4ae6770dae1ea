import type { Difference, Table } from "@lockstep/core";
import { quoteIdentifier, quoteTable, quoteText } from "../quoting.ts";
import type { WholeTable } from "../schema/whole-table.ts";
import { labelsOf, targetKindOf, type CatalogColumn } from "./target-type.ts";

/** A value that is none of its labels halts a replica: an enum or a set has all of the primary's. */
export function lackingLabels(
  table: Table,
  catalog: readonly CatalogColumn[],
  whole: WholeTable | undefined,
): Difference[] {
  return (whole?.common.columns ?? []).flatMap(({ name, labels }): Difference[] => {
    if (!table.columns.some((column) => column.name === name)) return [];
    const row = catalog.find((one) => one.name.toLowerCase() === name.toLowerCase());
    const kind = row === undefined ? null : targetKindOf(row);
    if (labels === null || row === undefined || (kind !== "enum" && kind !== "set")) return [];
    const own = labelsOf(row.columnType);
    const missing = labels.filter((label) => !own.includes(label));
    if (missing.length === 0) return [];
    const type = `${kind}(${[...own, ...missing].map(quoteText).join(",")})`;
    return [
      {
        what: `column ${name} lacks labels that the primary's has: ${missing.map(quoteText).join(", ")}`,
        fix: `run there: alter table ${quoteTable(table)} modify column ${quoteIdentifier(row.name)} ${type}${row.definition.slice(row.columnType.length)}`,
      },
    ];
  });
}

import { quoteIdentifier, quoteTable, quoteText } from "../quoting.ts";
import type { WholeTable } from "../schema/whole-table.ts";
import { Mismatch } from "./mismatch.ts";
import type { TablePlan } from "./table-plan.ts";
import { labelsOf, type CatalogColumn } from "./target-type.ts";

/** A value that is none of its labels halts a replica: an enum or a set has all of the primary's. Throws `Mismatch`. */
export function requireLabels(
  { table, columns }: TablePlan,
  catalog: readonly CatalogColumn[],
  whole: WholeTable | undefined,
): void {
  for (const { name, labels } of whole?.common.columns ?? []) {
    const target = columns[table.columns.findIndex((column) => column.name === name)];
    const row = catalog.find((one) => one.name === target?.name);
    if (labels === null || row === undefined || (target?.kind !== "enum" && target?.kind !== "set")) continue;
    const own = labelsOf(row.columnType);
    const missing = labels.filter((label) => !own.includes(label));
    if (missing.length === 0) continue;
    const type = `${target.kind}(${[...own, ...missing].map(quoteText).join(",")})`;
    throw new Mismatch(
      `column ${name} lacks labels that the primary's has: ${missing.map(quoteText).join(", ")}`,
      `run there: alter table ${quoteTable(table)} modify column ${quoteIdentifier(row.name)} ${type}${row.definition.slice(row.columnType.length)}`,
    );
  }
}

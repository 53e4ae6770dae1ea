import type { CommonTable, Difference } from "@lockstep/core";
import { quoteIdentifier, quoteLiteral } from "../connection.ts";
import type { CatalogColumn } from "./target-catalog.ts";

/** A value that is none of its labels halts a replica: an enum has all of the primary's. */
export function lackingLabels(rows: readonly CatalogColumn[], common: CommonTable | undefined): Difference[] {
  return (common?.columns ?? []).flatMap(({ name, labels }): Difference[] => {
    const own = rows.find((row) => row.name === name);
    if (labels === null || own === undefined || own.labels === null) return [];
    const missing = labels.filter((label) => own.labels?.includes(label) === false);
    if (missing.length === 0) return [];
    const type = `${quoteIdentifier(own.typeSchema)}.${quoteIdentifier(own.typeName)}`;
    const add = missing.map((label) => `alter type ${type} add value ${quoteLiteral(label)}`);
    return [
      {
        what: `column ${name} lacks labels that the primary's has: ${missing.map(quoteLiteral).join(", ")}`,
        fix: `run there: ${add.join("; ")}`,
      },
    ];
  });
}

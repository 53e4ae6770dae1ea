import type { CommonTable } from "@lockstep/core";
import { quoteIdentifier, quoteLiteral } from "../connection.ts";
import { Mismatch } from "./mismatch.ts";
import type { CatalogColumn } from "./target-catalog.ts";

/** A value that is none of its labels halts a replica: an enum has all of the primary's. Throws `Mismatch`. */
export function requireLabels(rows: readonly CatalogColumn[], common: CommonTable | undefined): void {
  for (const { name, labels } of common?.columns ?? []) {
    const own = rows.find((row) => row.name === name);
    if (labels === null || own === undefined || own.labels === null) continue;
    const missing = labels.filter((label) => own.labels?.includes(label) === false);
    if (missing.length === 0) continue;
    const type = `${quoteIdentifier(own.typeSchema)}.${quoteIdentifier(own.typeName)}`;
    const add = missing.map((label) => `alter type ${type} add value ${quoteLiteral(label)}`);
    throw new Mismatch(
      `column ${name} lacks labels that the primary's has: ${missing.map(quoteLiteral).join(", ")}`,
      `run there: ${add.join("; ")}`,
    );
  }
}

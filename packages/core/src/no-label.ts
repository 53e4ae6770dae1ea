import type { CommonColumn, CommonTable } from "./common-schema.ts";
import { tableLabel } from "./event.ts";
import type { Finding } from "./finding.ts";

/**
 * An enum of MySQL or MariaDB may hold a text that is none of its labels: '', what an invalid value became in a session
 * that is not strict. `isEnum`: what the column is on the replica.
 */
export function findNoLabel(
  { columns, ...table }: CommonTable,
  isEnum: (column: CommonColumn) => boolean,
  replica: string,
): Finding[] {
  const names = columns
    .filter((column) => column.type === "enum" && column.labels?.includes("") === false && isEnum(column))
    .map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    {
      level: "info",
      code: "left-out",
      what: `replica ${replica} halts where ${tableLabel(table)} has in ${names.join(", ")}: '', which is none of the labels, and what an invalid value became in a session that is not strict`,
      fix: "make such values a label or NULL on the primary, or have the column as a text on the replica",
    },
  ];
}

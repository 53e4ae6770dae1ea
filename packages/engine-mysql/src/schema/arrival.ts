import { errorFinding, tableLabel, type CommonTable, type ErrorFinding, type Finding } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { creationOf } from "./creation.ts";
import type { CreationPlace } from "./table-types.ts";

/** What a table of a primary of another engine becomes where it is created. */
export interface CommonArrival {
  /** Native types by column. */
  readonly columns: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

/** Says before any data moves what each column becomes, what is left out, which values halt; an error: it is refused. */
export function arrivalOf(table: CommonTable, place: CreationPlace, replica: string): CommonArrival {
  const { types, leftOut, refuses, shortened, refused } = creationOf(table, place);
  if (refused !== null) return { columns: types, findings: [noSuchTable(table, refused, replica)] };
  const label = tableLabel(table);
  const findings: Finding[] = [];
  if (leftOut.length > 0)
    findings.push({
      level: "warning",
      code: "left-out",
      what: `table ${label} is created on replica ${replica} without: ${leftOut.join("; ")}`,
      fix: "add what of it matters there by hand, or create the table there yourself before it is copied",
    });
  for (const [column, length] of shortened)
    findings.push({
      level: "warning",
      code: "left-out",
      what: `replica ${replica} halts at a value of ${label}.${column} that is longer than ${length}: so long may it be in a key there`,
    });
  for (const [values, columns] of refuses)
    findings.push({
      level: "info",
      code: "left-out",
      what: `replica ${replica} halts where ${label} has in ${columns.join(", ")}: ${values}`,
      fix: "create the table there yourself with these columns as texts, which take every value as it is written",
    });
  return { columns: types, findings: [...findings, ...zeroFindings(table, types, place.flavour, replica)] };
}

/** The reason why a table cannot be created. */
export function noSuchTable(table: CommonTable, why: string, replica: string): ErrorFinding {
  const label = tableLabel(table);
  return errorFinding("schema-mismatch", `table ${label} cannot be created on replica ${replica}: ${why}`, {
    fix: `create ${label} there by hand, with columns that hold what the primary's do, or name it in tables.exclude`,
  });
}

/** MariaDB takes a negative zero for the zero that is equal to it. `types`: what columns are there. */
export function zeroFindings(
  { schema, name, columns }: CommonTable,
  types: ReadonlyMap<string, string>,
  flavour: Flavour,
  replica: string,
): Finding[] {
  if (flavour !== "mariadb") return [];
  const floats = columns.filter(
    (column) =>
      (column.type === "float32" || column.type === "float64") &&
      /^(?:float|double)/.test(types.get(column.name) ?? ""),
  );
  if (floats.length === 0) return [];
  const names = floats.map((column) => column.name).join(", ");
  return [
    {
      level: "info",
      code: "left-out",
      what: `replica ${replica} keeps 0 for -0, which is equal, in ${tableLabel({ schema, name })}: ${names}`,
    },
  ];
}

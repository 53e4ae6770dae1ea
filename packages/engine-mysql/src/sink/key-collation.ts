import type { CommonColumn, Difference, Table } from "@lockstep/core";
import type { Flavour } from "../flavour.ts";
import { quoteTable } from "../quoting.ts";
import { charsetOfCollation, tellsApart } from "../schema/collation.ts";
import { COLLATIONS } from "../schema/created-type.ts";
import type { Dialect } from "../schema/type-rules.ts";
import type { TargetColumn } from "./table-plan.ts";
import type { CatalogColumn } from "./target-type.ts";

export interface KeyColumn {
  readonly table: Table;
  /** How it is written, and what it is there. */
  readonly target: TargetColumn;
  readonly catalog: CatalogColumn;
  /** The primary's; undefined where that is not known. */
  readonly common: CommonColumn | undefined;
  /** Whose words the primary's types are. */
  readonly dialect: Dialect;
  readonly flavour: Flavour;
}

/**
 * Two texts that the primary tells apart are two keys: a column that took them for equal would give the row of the one
 * to the other. One that tells apart more than the primary's does no harm.
 */
export function takenForEqual({ table, target, catalog, common, dialect, flavour }: KeyColumn): Difference[] {
  const exact = COLLATIONS[flavour];
  const { collation } = catalog;
  if (target.kind !== "text" || collation === null || collation === exact) return [];
  const primarys = dialect === "postgres" ? exact : (common?.collation ?? null);
  if (primarys === null) return [];
  const isChar = catalog.dataType === "char" || common?.nativeType.startsWith("char(") === true;
  // Neither has a value with spaces at its end.
  const mayEndInSpaces = dialect === "postgres" || !isChar;
  if (dialect !== "postgres" && tellsApart(collation, primarys, { mayEndInSpaces })) return [];
  const wanted = dialect === flavour ? primarys : exact;
  const definition = catalog.definition.replace(
    / character set \w+ collate \w+/,
    ` character set ${charsetOfCollation(wanted)} collate ${wanted}`,
  );
  const than = dialect === "postgres" ? "" : ` (${primarys})`;
  return [
    {
      what: `column ${target.name} of its key has collation ${collation}, which may take texts for equal that the primary tells apart${than}`,
      fix: `run there: alter table ${quoteTable(table)} modify column ${target.quoted} ${definition}`,
    },
  ];
}

import type { CommonTable } from "@lockstep/core";
import { columnSql } from "./creation.ts";
import { typesOf, type CreationPlace } from "./table-types.ts";

/** A table of the primary in whole, for what its rows do not tell. */
export interface WholeTable {
  readonly common: CommonTable;
  /** A column of it as it would be made here, with all that stands behind its name; null: there is no such column. */
  readonly definitionOf: (column: string) => string | null;
}

export function wholeTable(common: CommonTable, place: CreationPlace): WholeTable {
  return {
    common,
    definitionOf: (name) => {
      const column = common.columns.find((one) => one.name === name);
      if (column === undefined) return null;
      if (place.dialect === place.flavour) return column.definition;
      const type = typesOf(common, place).types.get(name) ?? "";
      return columnSql(column, type, { place, isIdentity: false, leftOut: [] });
    },
  };
}

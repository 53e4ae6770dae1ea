import type { Column, Difference, Table } from "@lockstep/core";
import { quoteIdentifier, quoteTable } from "../connection.ts";
import { takenTypes, writeFor } from "../schema/type-rules.ts";
import type { ForeignColumn, TargetColumn } from "./table-plan.ts";
import type { CatalogColumn } from "./target-catalog.ts";

interface MatchedColumn {
  readonly target: CatalogColumn;
  /** The primary is a PostgreSQL, too. */
  readonly isOwn: boolean;
  /** Told what differs. */
  readonly differences: Difference[];
}

/** How a column of the replica is written; null: it does not take what the primary's holds. */
export function matchColumn(
  table: Table,
  column: Column,
  { target, isOwn, differences }: MatchedColumn,
): TargetColumn | null {
  const { name, nativeType } = column;
  const alter = `run there: alter table ${quoteTable(table)} alter column ${quoteIdentifier(name)}`;
  if (target.isGenerated) {
    // On the primary it is a column as any other: a PostgreSQL sends none that is generated, other engines do.
    const what = `column ${name} is generated there, and the primary sends its values`;
    differences.push({ what, fix: `${alter} drop expression` });
    return null;
  }
  if (isOwn) {
    if (target.nativeType === nativeType) return targetColumn(column, target, null);
    const what = `column ${name} is ${target.nativeType}, on the primary ${nativeType}`;
    differences.push({ what, fix: `${alter} type ${nativeType}` });
    return null;
  }
  const foreign = foreignColumn(column, target);
  if (foreign !== null) return targetColumn(column, target, foreign);
  const what = `column ${name} is ${target.nativeType}, which does not take every ${nativeType} of the primary as it is`;
  differences.push({ what, fix: `${alter} type … to one that does: ${takenTypes(column.type)}` });
  return null;
}

function foreignColumn({ name, type }: Column, target: CatalogColumn): ForeignColumn | null {
  const { nativeType, typeName } = target;
  const write = writeFor(type, target);
  return write === null ? null : { name, nativeType, write, isComparedByValue: typeName === "numeric" };
}

function targetColumn({ isKey }: Column, target: CatalogColumn, foreign: ForeignColumn | null): TargetColumn {
  return {
    quoted: quoteIdentifier(target.name),
    isKey,
    typeName: `${quoteIdentifier(target.typeSchema)}.${quoteIdentifier(target.typeName)}`,
    // A domain has its base type's category. One over an array is whole to `unnest`, and cast from text it would
    // be cut to its length in silence (V1).
    isThroughText: target.category === "C" || (target.category === "A" && target.typeKind !== "d"),
    equals: target.equals ?? "=",
    comparedAs: target.comparedAs ?? "",
    isAlwaysIdentity: target.isAlwaysIdentity,
    foreign,
  };
}

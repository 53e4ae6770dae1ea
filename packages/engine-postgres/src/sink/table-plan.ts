import {
  NOT_CARRIED,
  schemaMismatch,
  type Cell,
  type Column,
  type CommonTable,
  type Row,
  type Table,
} from "@lockstep/core";
import type { Client } from "pg";
import { UnfitValue, type TakenType, type Write } from "../schema/exact-values.ts";
import { writeFor } from "../schema/type-rules.ts";
import { matchTable } from "./match-table.ts";
import { readTarget } from "./target-catalog.ts";

/** How one column of the replica is written. */
export interface TargetColumn {
  readonly quoted: string;
  readonly isKey: boolean;
  /**
   * The type without its modifier, quoted: a value is parsed as this and then *assigned*, so that the server
   * refuses what does not fit; a cast with the modifier would cut it off in silence (V1).
   */
  readonly typeName: string;
  /** Arrays and composites: `unnest` would take them apart, so they travel as text. */
  readonly isThroughText: boolean;
  /** How two values of it are compared for equality, once both are cast by `comparedAs`, which may be empty. */
  readonly equals: string;
  readonly comparedAs: string;
  /** Generated always as identity: an INSERT can set it, an UPDATE cannot. */
  readonly isAlwaysIdentity: boolean;
  /** Of a primary of another engine: null where it is of this one, whose text it takes as it is. */
  readonly foreign: ForeignColumn | null;
}

/** A column that takes what another engine's holds. */
export interface ForeignColumn {
  readonly name: string;
  readonly nativeType: string;
  readonly write: Write;
  /** Equal values may have several texts here: 1.5 and 1.50. */
  readonly isComparedByValue: boolean;
}

/** What a source's table is in the replica, checked. */
export interface TablePlan {
  readonly table: Table;
  readonly quoted: string;
  /** For statements on rows that are there: without what inherits from it, but with its partitions. */
  readonly target: string;
  /** In the order of the source's columns. */
  readonly columns: readonly TargetColumn[];
  /** Quoted: the replica's own, which are not generated. */
  readonly ownColumns: readonly string[];
  /** Empty: a table without a key, whose rows are found by all that they hold. */
  readonly keyColumns: readonly number[];
}

/** For whom tables are planned. */
export interface PlanFor {
  readonly replica: string;
  /** Whose words the primary's native types are. */
  readonly dialect: string;
}

export const OWN_DIALECT = "postgres";

export interface PlanDetails {
  /** Default true; else its key may be still to come. */
  readonly needsKey?: boolean;
  /** What the source's table is in whole, where that is known. */
  readonly common?: CommonTable | undefined;
}

/** Compares the source's table with the replica's; `schema-mismatch` names all that differs and the fix. */
export async function planTable(
  client: Client,
  { replica, dialect }: PlanFor,
  table: Table,
  { needsKey = true, common }: PlanDetails = {},
): Promise<TablePlan> {
  const rows = await readTarget(client, table);
  const matched = matchTable(table, rows, { isOwn: dialect === OWN_DIALECT, needsKey, common });
  if ("plan" in matched) return matched.plan;
  throw schemaMismatch(replica, table, matched.differences);
}

/** Whether a column of the replica takes what the primary's holds. */
export function takes(
  { type, nativeType }: Column,
  target: TakenType | undefined,
  { dialect }: PlanFor,
): boolean {
  if (target === undefined) return false;
  return dialect === OWN_DIALECT ? target.nativeType === nativeType : writeFor(type, target) !== null;
}

/** A cell as it is sent; one that is not carried is NULL. Throws `UnfitValue`, which names the column. */
export function sentText({ foreign }: TargetColumn, cell: Cell | undefined): string | null {
  if (typeof cell !== "string") return null;
  if (foreign === null) return cell;
  try {
    return foreign.write(cell);
  } catch (error) {
    if (!(error instanceof UnfitValue)) throw error;
    throw new UnfitValue(`column ${foreign.name}: ${error.message}`);
  }
}

/** The columns that a row carries and that are not its key, by whether an UPDATE can set them. */
export function carriedColumns(
  plan: TablePlan,
  row: Row,
): { readonly settable: readonly number[]; readonly fixed: readonly number[] } {
  const settable: number[] = [];
  const fixed: number[] = [];
  for (const [index, { isKey, isAlwaysIdentity }] of plan.columns.entries()) {
    if (!isKey && row[index] !== NOT_CARRIED) (isAlwaysIdentity ? fixed : settable).push(index);
  }
  return { settable, fixed };
}

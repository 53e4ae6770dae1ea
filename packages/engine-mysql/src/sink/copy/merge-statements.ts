import { quoteText } from "../../quoting.ts";
import type { Session } from "../../session.ts";
import { columnOf, writtenColumns, type TablePlan } from "../table-plan.ts";

/** What a table has beside the primary's columns and key. */
export interface MergedInto {
  readonly hasOwnColumns: boolean;
  /** Unique values beside the key: rows may take them from each other. */
  readonly hasOtherUniques: boolean;
}

export async function readMergedInto(session: Session, { table, columns }: TablePlan): Promise<MergedInto> {
  const where = `table_schema = ${quoteText(table.schema)} and table_name = ${quoteText(table.name)}`;
  const names = columns.map(({ name }) => quoteText(name)).join(", ");
  const [row] = await session.query(
    `select (select count(*) from information_schema.columns
              where ${where} and coalesce(generation_expression, '') = '' and column_name not in (${names})) as own,
            (select count(distinct index_name) from information_schema.statistics
              where ${where} and non_unique = 0) as uniques`,
  );
  return { hasOwnColumns: row?.["own"] !== "0", hasOtherUniques: row?.["uniques"] !== "1" };
}

/**
 * Brings a table's rows to what those of `stage` are, and leaves the others. Where no column is the replica's own, rows
 * make way for their successors, which may have taken unique values from each other; else they are updated.
 */
export function mergeStatements(plan: TablePlan, stage: string, into: MergedInto): string[] {
  const { quoted, keyColumns } = plan;
  const written = writtenColumns(plan).map((index) => columnOf(plan, index).quoted);
  const keys = keyColumns.map((index) => columnOf(plan, index).quoted);
  const isSame = keys.map((key) => `t.${key} = s.${key}`).join(" and ");
  const insert = `insert into ${quoted} (${written.join(", ")}) select ${written.map((name) => `s.${name}`).join(", ")}
    from ${stage} as s`;
  if (into.hasOtherUniques && !into.hasOwnColumns)
    return [`delete t from ${stage} as s straight_join ${quoted} as t on ${isSame}`, insert];
  const set = plan.columns.flatMap(({ isKey, isGenerated, quoted: name }) =>
    isKey || isGenerated ? [] : [`t.${name} = s.${name}`],
  );
  return [
    ...(set.length === 0
      ? []
      : [`update ${stage} as s straight_join ${quoted} as t on ${isSame} set ${set.join(", ")}`]),
    `${insert} left join ${quoted} as t on ${isSame} where t.${keys[0] ?? ""} is null`,
  ];
}

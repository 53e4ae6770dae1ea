import { findingOf, tableKey, tableLabel, type CommonTable, type Finding, type Table } from "@lockstep/core";
import { convertTable } from "../schema/from-common.ts";
import { notMade } from "../sink/copy/copy-target.ts";

interface ToCreate {
  /** Native types by column. */
  readonly columns: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

/** What a table of a primary of another engine becomes on a replica that lacks it: why not, or what is left out. */
export function findToCreate(table: Table, common: readonly CommonTable[], replica: string): ToCreate {
  const found = common.find((one) => tableKey(one) === tableKey(table));
  if (found === undefined) return { columns: new Map(), findings: [] };
  const { table: made, refused, leftOut } = convertTable(found, common, { order: 0, needs: [] });
  const columns = new Map(made.columns.map(({ name, type }) => [name, type]));
  const why = refused ?? keyless(table, found);
  if (why !== null) {
    const finding = findingOf(notMade(replica, table, why));
    return { columns, findings: finding === null ? [] : [finding] };
  }
  const all = [...found.leftOut, ...leftOut];
  if (all.length === 0) return { columns, findings: [] };
  return {
    columns,
    findings: [
      {
        level: "warning",
        code: "left-out",
        what: `of table ${tableLabel(table)} replica ${replica} gets its columns, keys, indexes and foreign keys, but not: ${all.join("; ")}`,
        fix: "make there by hand what matters, once the table has been copied",
      },
    ],
  };
}

/** The key by which the primary names rows would be no key here. */
function keyless(table: Table, { primaryKey, uniques }: CommonTable): string | null {
  const key = table.columns.filter(({ isKey }) => isKey).map(({ name }) => name);
  const wanted = JSON.stringify(key.toSorted());
  const keys = [primaryKey ?? [], ...uniques.map(({ columns }) => columns)];
  if (key.length === 0 || keys.some((columns) => JSON.stringify(columns.toSorted()) === wanted)) return null;
  return `its key (${key.join(", ")}) is more than columns`;
}

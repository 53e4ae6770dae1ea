import {
  findingOf,
  findLostCollations,
  findNoLabel,
  hasCode,
  tableKey,
  type CommonTable,
  type ExistingRows,
  type Finding,
  type Table,
  type TableArrival,
} from "@lockstep/core";
import type { Client } from "pg";
import { firstNonEmpty } from "../schema/tables.ts";
import { notEmpty } from "../sink/copy/copy-target.ts";
import type { TakenType } from "../schema/exact-values.ts";
import { OWN_DIALECT, planTable, takes, type PlanFor } from "../sink/table-plan.ts";
import { findHalting } from "./halting-values.ts";
import { findToCreate } from "./tables-to-create.ts";
import type { ThereRow } from "./replica-tables.ts";

/** What the replica has stored of a table. */
export interface StoredRow {
  readonly schema: string;
  readonly name: string;
  readonly state: string;
  readonly isCreated: boolean;
  readonly attempt: number;
}

interface ArrivalOptions extends PlanFor {
  /** The primary's tables in common words. */
  readonly common: readonly CommonTable[];
  readonly existing: ExistingRows;
  readonly there: ReadonlyMap<string, ThereRow>;
  readonly stored: ReadonlyMap<string, StoredRow>;
}

interface Arrivals {
  readonly findings: readonly Finding[];
  readonly arrivals: ReadonlyMap<string, TableArrival>;
}

const READ_TYPES = `
  select a.attname as "column", pg_catalog.format_type(a.atttypid, a.atttypmod) as "nativeType",
         t.typname as "typeName", t.typtype as "typeKind", tn.nspname as "typeSchema"
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped order by a.attnum`;

/** How each table of the primary arrives, judged as a copy and the sink judge it. */
export async function findArrivals(
  client: Client,
  tables: readonly Table[],
  options: ArrivalOptions,
): Promise<Arrivals> {
  const findings: Finding[] = [];
  const arrivals = new Map<string, TableArrival>();
  for (const table of tables) {
    const key = tableKey(table);
    const there = options.there.get(key);
    if (there === undefined || there.kind === null) {
      const { columns, findings: found } = toCreate(table, options);
      findings.push(...found);
      arrivals.set(key, { kind: "to-create", columns });
      continue;
    }
    const found = await findUnfit(client, table, there, options);
    const [mismatch] = found;
    findings.push(...found);
    const columns = await readTypes(client, table);
    const whole = options.common.find((one) => tableKey(one) === key);
    if (options.dialect !== OWN_DIALECT && whole !== undefined)
      findings.push(
        ...findNoLabel(whole, ({ name }) => columns.get(name)?.typeKind === "e", options.replica),
      );
    const unfit = table.columns.filter((column) => !takes(column, columns.get(column.name), options));
    arrivals.set(key, {
      kind: "there",
      columns: new Map([...columns].map(([name, { nativeType }]) => [name, nativeType])),
      unfit: new Set(unfit.map(({ name }) => name)),
      mismatch: mismatch?.code === "schema-mismatch" ? mismatch.what : null,
    });
  }
  if (options.dialect !== OWN_DIALECT) findings.push(...findOfAll(arrivals, options));
  return { findings, arrivals };
}

/** What nearly every table of another engine has is said once. */
function findOfAll(
  arrivals: ReadonlyMap<string, TableArrival>,
  { common, replica }: ArrivalOptions,
): Finding[] {
  const made = common.filter((table) => arrivals.get(tableKey(table))?.kind === "to-create");
  return [...findLostCollations(made, replica), ...findHalting(common, arrivals, replica)];
}

/** What a table that is not there becomes. */
function toCreate(
  table: Table,
  { replica, dialect, common }: ArrivalOptions,
): { readonly columns: ReadonlyMap<string, string>; readonly findings: readonly Finding[] } {
  if (dialect !== OWN_DIALECT) return findToCreate(table, common, replica);
  return { columns: new Map(table.columns.map(({ name, nativeType }) => [name, nativeType])), findings: [] };
}

async function findUnfit(
  client: Client,
  table: Table,
  there: ThereRow,
  options: ArrivalOptions,
): Promise<Finding[]> {
  const { replica, existing, stored } = options;
  const row = stored.get(tableKey(table));
  if (row?.state === "pending" && row.isCreated) return []; // Its key comes when its rows are there.
  const mismatch = await mismatchOf(client, options, table);
  if (mismatch !== null) return [mismatch];
  const isUntouched = row === undefined || (row.state === "pending" && row.attempt === 0);
  const mayLook = there.mayUse && !there.lacks.includes("select") && !there.isRowSecured;
  if (existing !== "refuse" || !isUntouched || !mayLook) return [];
  if ((await firstNonEmpty(client, [table])) === null) return [];
  const full = findingOf(notEmpty(replica, table));
  return full === null ? [] : [full];
}

async function mismatchOf(client: Client, options: ArrivalOptions, table: Table): Promise<Finding | null> {
  const common = options.common.find((one) => tableKey(one) === tableKey(table));
  try {
    await planTable(client, options, table, { common });
    return null;
  } catch (error) {
    if (!hasCode(error, "schema-mismatch")) throw error;
    return findingOf(error);
  }
}

async function readTypes(client: Client, { schema, name }: Table): Promise<Map<string, TakenType>> {
  const { rows } = await client.query<TakenType & { column: string }>(READ_TYPES, [schema, name]);
  return new Map(rows.map((row) => [row.column, row]));
}

import { tableKey, tableLabel, type ReplicaReport, type Table, type TableArrival } from "@lockstep/core";

/** How one column of the primary arrives on each replica. */
export interface ArrivingColumn {
  readonly table: string;
  readonly column: string;
  /** The primary's own name of its type. */
  readonly type: string;
  readonly isKey: boolean;
  readonly replicas: Readonly<Record<string, Arrival>>;
}

interface Arrival {
  readonly state: "fits" | "will be created" | "does not fit" | "unknown";
  /** Null where the replica lacks it, or could not be asked. */
  readonly type: string | null;
}

interface Replica {
  readonly name: string;
  readonly report: ReplicaReport;
}

export function arrivingColumns(tables: readonly Table[], replicas: readonly Replica[]): ArrivingColumn[] {
  return tables.flatMap((table) =>
    table.columns.map(({ name, nativeType, isKey }) => ({
      table: tableLabel(table),
      column: name,
      type: nativeType,
      isKey,
      replicas: Object.fromEntries(
        replicas.map((replica) => [
          replica.name,
          arrivalOf(replica.report.arrivals.get(tableKey(table)), name),
        ]),
      ),
    })),
  );
}

function arrivalOf(table: TableArrival | undefined, column: string): Arrival {
  if (table === undefined) return { state: "unknown", type: null };
  const type = table.columns.get(column) ?? null;
  if (table.kind === "to-create") return { state: type === null ? "does not fit" : "will be created", type };
  return { state: type === null || table.unfit.has(column) ? "does not fit" : "fits", type };
}

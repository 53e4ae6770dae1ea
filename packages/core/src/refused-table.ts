import { tableLabel, type TableName } from "./event.ts";
import { errorFinding, type ErrorFinding } from "./finding.ts";
import { ReplicationError } from "./replication-error.ts";
import type { TableFilter } from "./table-filter.ts";

/** A table of a primary that cannot be followed. */
export interface RefusedTable extends Refusal {
  readonly table: TableName;
}

export interface Refusal {
  /** Follows the table's name in a sentence. */
  readonly reason: string;
  /** A statement that mends it, where one will do. */
  readonly sql?: string;
}

export function tablesNotSupported(refused: readonly RefusedTable[]): ReplicationError {
  const each = refused.map(({ table, reason }) => `${tableLabel(table)} ${reason}`);
  return new ReplicationError(
    "table-not-supported",
    `these tables cannot be replicated: ${each.join("; ")}`,
    {
      fix: "change them as said, or name them in tables.exclude",
      fields: { tables: each },
    },
  );
}

export function noTables(filter: TableFilter): ErrorFinding {
  return errorFinding("setup-incomplete", `no table matches tables.include ${filter.include.join(", ")}`, {
    fix: "create the tables on the primary first, or correct the patterns",
  });
}

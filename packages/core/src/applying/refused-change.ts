import { ReplicationError } from "../replication-error.ts";
import { originText, type Origin } from "./origin.ts";

/** A change that a replica does not take: enough for a person to find it, and nothing of its row (S1). */
export interface RefusedChange extends Origin {
  readonly replica: string;
  /** Quoted. */
  readonly table: string;
  readonly key: string;
}

/** Halted by us: the row is not what the primary had. */
export function haltedChange(
  code: "row-incomplete" | "conflict-halted",
  change: RefusedChange,
  what: string,
): ReplicationError {
  const { replica, table, key } = change;
  return new ReplicationError(
    code,
    `replica ${replica}, table ${table}, key ${key}, ${originText(change)}: ${what}`,
    {
      fix: "make that row of the replica what it was on the primary before this change (before an insert: absent), then start again",
      fields: { ...change },
    },
  );
}

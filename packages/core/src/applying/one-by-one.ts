import { tableKey, type ReplicationEvent } from "../event.ts";
import type { UnfoldedTable } from "./fold.ts";
import type { ChangeSet, RecordChanges } from "../sink.ts";

/** What of some events concerns the tables that are taken, in their order. */
export function eventsOf(
  events: readonly ReplicationEvent[],
  takes: (table: number) => boolean,
): readonly ReplicationEvent[] {
  return events.flatMap((event): readonly ReplicationEvent[] => {
    if (event.kind !== "truncate") return takes(event.table) ? [event] : [];
    const left = event.tables.filter(takes);
    return left.length === 0 ? [] : [{ ...event, tables: left }];
  });
}

/** What of a window, or a piece, is to be applied change by change. */
export interface OneByOne {
  readonly groups: readonly RecordChanges[];
  readonly reason: string;
}

/**
 * What is applied change by change: everything where the bulk of it `failed`, as that says, or nothing folds; else what
 * tables have that do not fold; null where everything has been applied.
 */
export function changesOneByOne({ groups, folded }: ChangeSet, failed: string | null): OneByOne | null {
  if (failed !== null) return { groups, reason: failed };
  if (folded.kind === "ordered") return { groups, reason: folded.reason };
  const [first] = folded.unfolded;
  return first === undefined ? null : { groups: changesOf(groups, folded.unfolded), reason: first.reason };
}

function changesOf(groups: readonly RecordChanges[], unfolded: readonly UnfoldedTable[]): RecordChanges[] {
  const keys = new Set(unfolded.map(({ table }) => tableKey(table)));
  return groups.map((group) => {
    const ids = new Set<number>();
    for (const [id, table] of group.tables) if (keys.has(tableKey(table))) ids.add(id);
    const transactions = group.transactions.map((transaction) => {
      return { ...transaction, events: eventsOf(transaction.events, (id) => ids.has(id)) };
    });
    return { ...group, transactions };
  });
}

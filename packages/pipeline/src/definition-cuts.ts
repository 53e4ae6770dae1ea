import {
  fold,
  sameColumns,
  tableKey,
  type ApplyWindow,
  type Progress,
  type RecordChanges,
  type Table,
} from "@lockstep/core";
import { groupOf } from "./carried-tables.ts";
import type { DecodedEntry } from "./decoded-entry.ts";

/** What a window takes of one record. */
export interface Collected {
  readonly entry: DecodedEntry;
  readonly group: RecordChanges;
}

/**
 * A window cut wherever a table changes its columns: a replica whose table fits to one definition applies what
 * came under it, and waits only for the next. One transaction that has both is never cut (A3).
 */
export function cutAtDefinitions(collected: readonly Collected[], progress: Progress): ApplyWindow[] {
  const windows: ApplyWindow[] = [];
  let groups: RecordChanges[] = [];
  let definitions = new Map<string, Table>();
  let reached = progress;
  const cut = (at: Progress): void => {
    windows.push({ groups, folded: fold(groups), progress: at });
    groups = [];
    definitions = new Map();
  };
  for (const { entry, group } of collected) {
    for (const transaction of group.transactions) {
      const part = { offset: entry.offset, ...groupOf([transaction], group.tables) };
      const used = [...part.tables.values()];
      if (used.some((table) => isChanged(table, definitions)) && groups.length > 0) cut(reached);
      for (const table of used) definitions.set(tableKey(table), table);
      groups.push(part);
      reached = within(progress, entry, transaction.position);
    }
  }
  cut(progress);
  return windows;
}

/** Whether some table comes with more than one definition. */
export function hasSeveralDefinitions(groups: readonly RecordChanges[]): boolean {
  const definitions = new Map<string, Table>();
  for (const { tables } of groups) {
    for (const table of tables.values()) {
      if (isChanged(table, definitions)) return true;
      definitions.set(tableKey(table), table);
    }
  }
  return false;
}

function isChanged(table: Table, definitions: ReadonlyMap<string, Table>): boolean {
  const known = definitions.get(tableKey(table));
  return known !== undefined && !sameColumns(known, table);
}

/** Somewhere in a record: its offset stays the one from which a restart reads on (A2). */
function within(
  { epoch }: Progress,
  { offset, headers }: DecodedEntry,
  position: Progress["position"],
): Progress {
  return { epoch, position, offset, open: headers.open ?? offset, run: headers.run };
}

import type { Offset } from "../offset.ts";
import type { Position } from "../position.ts";
import type { RecordChanges } from "../sink.ts";

/** Which transaction a change comes from, and which record of the topic holds it. */
export interface Origin {
  readonly record: Offset;
  readonly xid: string;
  readonly position: Position;
}

export function originOf(group: RecordChanges, transaction: RecordChanges["transactions"][number]): Origin {
  const { xid, position } = transaction;
  return { record: group.offset, xid, position };
}

/** The last transaction of all; null where there is none. */
export function lastOrigin(groups: readonly RecordChanges[]): Origin | null {
  const group = groups.findLast(({ transactions }) => transactions.length > 0);
  const transaction = group?.transactions.at(-1);
  return group === undefined || transaction === undefined ? null : originOf(group, transaction);
}

/** The first transaction of the record that changes the table with this id, else its first one. */
export function firstOrigin(group: RecordChanges, table: number): Origin | null {
  const { transactions } = group;
  const first = transactions.find(({ events }) =>
    events.some((event) =>
      event.kind === "truncate" ? event.tables.includes(table) : event.table === table,
    ),
  );
  const transaction = first ?? transactions[0];
  return transaction === undefined ? null : originOf(group, transaction);
}

export function originText({ record, xid, position }: Origin): string {
  return `in transaction ${xid} at ${position} (record ${record})`;
}

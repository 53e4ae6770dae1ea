import {
  abortable,
  ReplicationError,
  tableLabel,
  type CopyMark,
  type Failpoints,
  type Row,
  type SnapshotTable,
} from "@lockstep/core";
import { quoteText } from "../../quoting.ts";
import type { Session } from "../../session.ts";
import { ROWS_FORMAT } from "../../snapshot/description.ts";
import type { TablePlan } from "../table-plan.ts";
import { amongTables, changeTableRows, markAssignments } from "../table-rows.ts";
import { notOurs } from "./copy-refused.ts";
import type { CopySessions } from "./copy-sessions.ts";
import { rowsOf } from "./row-lines.ts";

/** One attempt at one table: what both ways of copying it need. */
export interface TableAttempt {
  readonly snapshot: SnapshotTable;
  readonly plan: TablePlan;
  readonly sessions: CopySessions;
  readonly replica: string;
  readonly pipeline: string;
  readonly owner: string;
  readonly attempt: number;
  readonly failpoints: Failpoints | undefined;
}

/** The one that we know. */
export function formatOf({ table, formats }: SnapshotTable): string {
  if (formats.includes(ROWS_FORMAT)) return ROWS_FORMAT;
  throw new ReplicationError(
    "table-not-supported",
    `rows of ${tableLabel(table)} come as ${formats.join(", ")}, which a MySQL or MariaDB replica does not read`,
  );
}

/** A4: begins a transaction, and rejects unless the table's row still is this attempt's; holds it to the end. */
export async function beginProved(session: Session, of: TableAttempt): Promise<void> {
  await session.run("start transaction");
  const rows = await session.query(
    `select 1 from lockstep.tables
      where pipeline = ${quoteText(of.pipeline)} and owner = ${quoteText(of.owner)} and state = 'pending'
        and attempt = ${of.attempt} and ${amongTables([of.snapshot.table])} lock in share mode`,
  );
  if (rows.length !== 1) throw notOurs(of.replica);
}

/** The rows, as long as the replica's link lives: they may be long in coming. */
export function arriving(
  lost: AbortSignal,
  { snapshot }: TableAttempt,
  open: () => AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly Row[], void, undefined> {
  return rowsOf(whileAlive(open(), lost), snapshot.table.columns.length);
}

export async function storeMark(session: Session, of: TableAttempt, mark: CopyMark): Promise<void> {
  const isOurs = await changeTableRows(session, of, [of.snapshot.table], {
    set: markAssignments(mark),
    where: `state = 'pending' and attempt = ${of.attempt}`,
  });
  if (!isOurs) throw notOurs(of.replica);
}

async function* whileAlive(
  chunks: AsyncIterable<Uint8Array>,
  lost: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const next = await abortable(iterator.next(), lost);
      if (next.done === true) {
        isOver = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // It may be waiting still; whoever reads ends with its session.
    if (!isOver) iterator.return?.().catch(() => undefined);
  }
}

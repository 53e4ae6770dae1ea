import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";

export interface ExportedView {
  /** For `set transaction snapshot`. */
  readonly name: string;
  /** As `pg_current_snapshot` prints it. */
  readonly snapshot: string;
  /** Whatever the view shows was committed at or below. */
  readonly through: string;
}

/** What comes before the first record on each page of the log, and on the first page of each of its files. */
const PAGE_HEADER_BYTES = 24;
const FIRST_PAGE_HEADER_BYTES = 40;

/**
 * Begins the transaction of a view, which lives as long as it does. The insert position is read under the view. Just
 * behind a page's header it is where the next record will begin, and none has ended there: the page's beginning says
 * the same, and is where a quiet server's log ends.
 */
export async function exportView(client: Client): Promise<ExportedView> {
  await client.query("begin isolation level repeatable read read only");
  const { rows } = await client.query<ExportedView>(
    `select pg_catalog.pg_export_snapshot() as "name", pg_catalog.pg_current_snapshot()::text as "snapshot",
            ('0/0'::pg_lsn + (at - case when at % segment = ${FIRST_PAGE_HEADER_BYTES} then ${FIRST_PAGE_HEADER_BYTES}
                                        when at % page = ${PAGE_HEADER_BYTES} then ${PAGE_HEADER_BYTES} else 0 end))::text as "through"
       from (select pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn as at,
                    current_setting('wal_block_size')::numeric as page,
                    pg_catalog.pg_size_bytes(current_setting('wal_segment_size'))::numeric as segment) inserted`,
  );
  const [exported] = rows;
  if (exported === undefined)
    throw new ReplicationError("protocol-violation", "the primary exported no view");
  return exported;
}

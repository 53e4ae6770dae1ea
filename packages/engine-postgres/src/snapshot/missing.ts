import type { Client } from "pg";
import { parseView, type ParsedView } from "./view.ts";

/*
 * A transaction that a view lacks may have its commit in the log already: it waits for a standby, or is about to
 * become visible. Its commit is not older than the transaction itself. So nothing that the view lacks was
 * committed before the oldest transaction that ran just before the view, prepared ones included.
 */

/** What ran just before a view. */
export interface Running {
  readonly snapshot: ParsedView;
  readonly known: ReadonlySet<string>;
  readonly oldestUs: number;
}

/** Low 32 bits, since that is all that the server's lists have; read after the snapshot, so that none is missed. */
const READ_RUNNING = `
  select xid::text as "xid", (extract(epoch from began) * 1e6)::int8::text as "beganUs"
    from (select backend_xid as xid, xact_start as began from pg_catalog.pg_stat_activity where backend_xid is not null
          union all select transaction, prepared from pg_catalog.pg_prepared_xacts) running`;

const NOW_US = "(extract(epoch from pg_catalog.clock_timestamp()) * 1e6)::int8::text";

export async function readRunning(client: Client): Promise<Running> {
  const { rows } = await client.query<{ snapshot: string; nowUs: string }>(
    `select pg_catalog.pg_current_snapshot()::text as "snapshot", ${NOW_US} as "nowUs"`,
  );
  const [first] = rows;
  const running = await client.query<{ xid: string; beganUs: string | null }>(READ_RUNNING);
  const began = running.rows.flatMap(({ beganUs }) => (beganUs === null ? [] : [Number(beganUs)]));
  return {
    snapshot: parseView(first?.snapshot ?? ""),
    known: new Set(running.rows.flatMap(({ xid, beganUs }) => (beganUs === null ? [] : [xid]))),
    oldestUs: began.reduce((oldest, us) => Math.min(oldest, us), Number(first?.nowUs ?? 0)),
  };
}

/** The earliest commit time of what `view` lacks; null where a role without rights cannot know. */
export function earliestMissing({ snapshot, known, oldestUs }: Running, view: ParsedView): number | null {
  for (const xid of view.running) {
    const isHidden = xid < snapshot.xmax && !known.has(String(xid % (1n << 32n)));
    if (isHidden) return null;
  }
  return oldestUs;
}

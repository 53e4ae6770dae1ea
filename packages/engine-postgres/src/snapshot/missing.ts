import type { Client } from "pg";

/*
 * A transaction that a view lacks may have its commit in the log already: it waits for a standby, or is about to
 * become visible. Its commit is not older than the transaction itself. So nothing that the view lacks was
 * committed before the oldest transaction that ran just before the view, prepared ones included.
 */

/**
 * The sessions' transactions, prepared ones too. `began` is null where our role may not see it, or the server does
 * not track it; which of the hidden sessions have a transaction cannot be seen either.
 */
const READ_RUNNING = `
  select pg_catalog.min((extract(epoch from began) * 1e6)::int8)::text as "oldestUs",
         pg_catalog.bool_or(began is null) is true as "isUnknown"
    from (select xact_start as began from pg_catalog.pg_stat_activity
           where backend_xid is not null or query = '<insufficient privilege>'
          union all select prepared from pg_catalog.pg_prepared_xacts) running`;

/** What is read as a time, before what it is compared with. */
const NOW_US = 'select (extract(epoch from pg_catalog.clock_timestamp()) * 1e6)::int8::text as "nowUs"';

/**
 * Read just before a view: the earliest commit time of what that view will lack. Null: it may have been committed
 * at any time.
 */
export async function readEarliestMissing(client: Client): Promise<number | null> {
  const now = await client.query<{ nowUs: string }>(NOW_US);
  const running = await client.query<{ oldestUs: string | null; isUnknown: boolean }>(READ_RUNNING);
  const [found] = running.rows;
  const nowUs = Number(now.rows[0]?.nowUs ?? "0");
  if (found === undefined || found.isUnknown) return null;
  return found.oldestUs === null ? nowUs : Math.min(nowUs, Number(found.oldestUs));
}

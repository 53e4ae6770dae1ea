import { ReplicationError, type Logger } from "@lockstep/core";
import type { Client } from "pg";
import type { UnknownColumnType } from "../wal/relation.ts";

/*
 * A transaction is streamed before others can see it: where its commit waits for standbys, not before the wait is
 * over. A type that it made is in no catalog that we could read until then, and it may be us whom it waits for.
 */
const UNSEEN = `
  select l.pid, coalesce(a.wait_event = 'SyncRep', false) as "isWaiting"
    from rows from (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.xid[])) as named (type, xid)
    join pg_catalog.pg_locks l on l.locktype = 'transactionid' and l.granted and l.transactionid = named.xid
    left join pg_catalog.pg_stat_activity a on a.pid = l.pid
   where not exists (select from pg_catalog.pg_type t where t.oid = named.type)`;

/** Rejects with `connection-lost` while the transaction that made a type cannot be seen; its commit waits no longer. */
export async function expectSeen(
  client: Client,
  types: readonly UnknownColumnType[],
  logger: Logger,
): Promise<void> {
  if (types.length === 0) return;
  const { rows } = await client.query<{ pid: number; isWaiting: boolean }>(UNSEEN, [
    types.map(({ oid }) => oid),
    types.map(({ xid }) => xid),
  ]);
  if (rows.length === 0) return;
  for (const { pid, isWaiting } of rows) if (isWaiting) await letGo(client, pid, logger);
  throw new ReplicationError(
    "connection-lost",
    "a type was made by a commit that cannot be seen yet; it is looked up again",
  );
}

async function letGo(client: Client, pid: number, logger: Logger): Promise<void> {
  await client.query("select pg_catalog.pg_cancel_backend($1)", [pid]);
  logger.warn(
    { session: pid },
    "a commit made a type that is needed to replicate it; it waits no longer, and is on the primary alone until it is replicated",
  );
}

import { ReplicationError } from "@lockstep/core";
import type { Client } from "pg";

interface Senders {
  readonly most: number;
  readonly used: number;
}

/** Rejects with `gate-unavailable` where no run can come to stream: commits would wait for one in vain. */
export async function expectFreeWalsender(client: Client): Promise<void> {
  const { rows } = await client.query<Senders>(
    `select pg_catalog.current_setting('max_wal_senders')::int as most,
            (select count(*)::int from pg_catalog.pg_stat_replication) as used`,
  );
  const { most = 0, used = 0 } = rows[0] ?? {};
  if (used < most) return;
  throw new ReplicationError(
    "gate-unavailable",
    `no run streams, and none can: all ${most} WAL senders of the primary are in use (max_wal_senders)`,
    {
      fix: `end one that is not needed (pg_stat_replication), or run \`alter system set max_wal_senders = ${most + 10}\` on the primary and restart it; then again`,
    },
  );
}

import { errorFinding, ReplicationError, type ErrorFinding, type Logger } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier } from "../connection.ts";

export interface SlotRow {
  readonly plugin: string;
  readonly database: string;
  readonly isActive: boolean;
  readonly activePid: number | null;
  /** The walsender's latest word about its reader; null when it has none or may not be seen. */
  readonly replyTime: string | null;
  /** The walsender waits for its reader or for work; else it decodes, and may hear nobody for long. */
  readonly isWaiting: boolean;
  readonly confirmed: string | null;
  readonly walStatus: string | null;
  readonly failover: boolean;
}

/** The slot as the server has it, or null. */
export async function readSlot(client: Client, slot: string): Promise<SlotRow | null> {
  const { rows } = await client.query<SlotRow>(
    `select s.plugin, s.database, s.active as "isActive", s.active_pid as "activePid",
            r.reply_time::text as "replyTime",
            coalesce(a.wait_event_type in ('Activity', 'Client'), false) as "isWaiting", s.confirmed_flush_lsn::text as "confirmed",
            s.wal_status as "walStatus",
            coalesce((pg_catalog.to_jsonb(s) ->> 'failover')::bool, false) as "failover"
       from pg_catalog.pg_replication_slots s
       left join pg_catalog.pg_stat_replication r on r.pid = s.active_pid
       left join pg_catalog.pg_stat_activity a on a.pid = s.active_pid
      where s.slot_name = $1`,
    [slot],
  );
  return rows[0] ?? null;
}

/**
 * Creates the slot; waits for every transaction that runs now, so that all that is committed later is streamed
 * whole. `client` is a replication connection.
 */
export async function createSlot(client: Client, slot: string, logger: Logger): Promise<void> {
  logger.info({ slot }, "creating the replication slot; this waits for transactions that are running now");
  const { rows } = await client.query<{ consistent_point: string }>(
    `CREATE_REPLICATION_SLOT ${quoteIdentifier(slot)} LOGICAL pgoutput (SNAPSHOT 'nothing')`,
  );
  logger.info({ slot, start: rows[0]?.consistent_point }, "created the replication slot");
}

/** Lets the slot follow a failover of the primary to its physical standby (PostgreSQL 17 and newer). */
export async function enableFailover(client: Client, slot: string): Promise<void> {
  await client.query(`ALTER_REPLICATION_SLOT ${quoteIdentifier(slot)} (FAILOVER true)`);
}

/** Why a pipeline cannot go on from the slot of its name, or null. */
export function slotProblem(
  name: string,
  { plugin, walStatus, confirmed, isActive }: SlotRow,
): ErrorFinding | null {
  if (plugin !== "pgoutput") {
    return errorFinding("slot-not-ours", `slot ${name} uses the plugin ${plugin}`, {
      fix: "choose another pipeline name, or drop it",
      sql: `select pg_drop_replication_slot('${name}')`,
    });
  }
  const isBeingCreated = confirmed === null && isActive;
  if (walStatus === "lost" || (confirmed === null && !isBeingCreated)) {
    return errorFinding("history-gap", `slot ${name} no longer has the log it needs`, {
      fix: "remove the pipeline and start it anew; raise max_slot_wal_keep_size so that it does not happen again",
    });
  }
  return null;
}

export function slotMissing(slot: string): ReplicationError {
  return new ReplicationError("slot-missing", `slot ${slot} is gone, but its topic has history`, {
    fix: "what the primary committed since is lost to the topic: remove the pipeline and start it anew",
    fields: { slot },
  });
}

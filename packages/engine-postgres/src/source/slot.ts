import { ReplicationError, tableLabel, type Failpoints, type Logger, type TableName } from "@lockstep/core";
import type { Client } from "pg";
import { quoteIdentifier, quoteLiteral } from "../connection.ts";
import { firstNonEmpty } from "../schema/tables.ts";
import { storeNote } from "./publication.ts";

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

export interface CreateSlotOptions {
  readonly slot: string;
  readonly publication: string;
  readonly tables: readonly TableName[];
  /** A short random text, for the temporary slot's name. */
  readonly nonce: string;
  readonly logger: Logger;
  readonly failpoints: Failpoints | undefined;
}

/**
 * Creates the slot such that, whenever it exists, the publication's note says which tables were empty at its
 * first position, wherever the process is killed: a temporary slot gives the view in which emptiness is read,
 * the note is stored, and then the temporary slot is copied, first position and all, to the real one.
 *
 * `client` is a replication connection of its own; the temporary slot goes with it.
 */
export async function createSlot(client: Client, options: CreateSlotOptions): Promise<void> {
  const { slot, publication, tables, logger, failpoints } = options;
  const temporary = `${slot.slice(0, 50)}_${options.nonce}`;
  logger.info({ slot }, "creating the replication slot; this waits for transactions that are running now");
  await client.query("begin read only isolation level repeatable read");
  const { rows } = await client.query<{ consistent_point: string }>(
    `CREATE_REPLICATION_SLOT ${quoteIdentifier(temporary)} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'use')`,
  );
  const start = rows[0]?.consistent_point;
  if (start === undefined)
    throw new ReplicationError("protocol-violation", "the primary created a slot without a point");
  const nonEmpty = await firstNonEmpty(client, tables);
  await client.query("commit");
  if (nonEmpty !== null) throw notEmpty(nonEmpty);
  await storeNote(client, publication, { start, emptyTables: tables });
  failpoints?.hit("emptiness-stored");
  await client.query(
    `select pg_catalog.pg_copy_logical_replication_slot(${quoteLiteral(temporary)}, ${quoteLiteral(slot)}, false)`,
  );
  failpoints?.hit("slot-created");
  logger.info({ slot, start }, "created the replication slot");
}

/** Lets the slot follow a failover of the primary to its physical standby (PostgreSQL 17 and newer). */
export async function enableFailover(client: Client, slot: string): Promise<void> {
  await client.query(`ALTER_REPLICATION_SLOT ${quoteIdentifier(slot)} (FAILOVER true)`);
}

function notEmpty(table: TableName): ReplicationError {
  return new ReplicationError(
    "table-not-empty",
    `table ${tableLabel(table)} on the primary has rows already`,
    {
      fix: "start with empty tables, or exclude it; copying existing rows is not supported yet",
      fields: { table: tableLabel(table) },
    },
  );
}

import { ReplicationError, type Removable } from "@lockstep/core";
import type { Client } from "pg";
import { onDatabase, type DatabaseOptions } from "../command-session.ts";
import { quoteIdentifier } from "../connection.ts";
import { gateNames, readSetting, release } from "../gate/gate-setting.ts";

interface Found {
  readonly slotPid: number | null;
  readonly isSlotActive: boolean;
  readonly hasSlot: boolean;
  readonly kept: string | null;
  readonly hasPublication: boolean;
  readonly isGated: boolean;
}

const FIND = `
  select s.slot_name is not null as "hasSlot", coalesce(s.active, false) as "isSlotActive", s.active_pid as "slotPid",
         case when not pg_catalog.pg_is_in_recovery()
              then pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))
         end as "kept",
         exists (select from pg_catalog.pg_publication where pubname = $1) as "hasPublication"
    from (select) one left join pg_catalog.pg_replication_slots s on s.slot_name = $1`;

/** The slot and the publication of a pipeline. */
export function createRemovablePrimary(database: DatabaseOptions): Removable {
  const { name, pipeline } = database;
  const place = `primary ${name}`;
  const own = `lockstep_${pipeline}`;
  const gate = gateNames(pipeline);
  const find = async (client: Client): Promise<Found> => {
    const { rows } = await client.query<Omit<Found, "isGated">>(FIND, [own]);
    const [row] = rows;
    if (row === undefined) throw new TypeError("the query gives one row");
    const { isArmed: isGated } = await readSetting(client, gate);
    const found = { ...row, isGated };
    if (found.isSlotActive) throw slotInUse(place, own, found.slotPid);
    return found;
  };
  return {
    place,
    remnants: async (signal) =>
      await onDatabase(
        database,
        place,
        async (client) => {
          const { hasSlot, kept, hasPublication, isGated } = await find(client);
          const held = kept === null ? "" : `, which keeps ${kept} of WAL`;
          return [
            ...(isGated ? ["commit gate in synchronous_standby_names"] : []),
            ...(hasSlot ? [`replication slot ${own}${held}`] : []),
            ...(hasPublication ? [`publication ${own}`] : []),
          ];
        },
        signal,
      ),
    remove: async (signal) => {
      await onDatabase(
        database,
        place,
        async (client) => {
          const { hasSlot } = await find(client);
          await release(client, gate); // Before the comment goes that says what was there before.
          if (hasSlot) await client.query("select pg_catalog.pg_drop_replication_slot($1)", [own]);
          await client.query(`drop publication if exists ${quoteIdentifier(own)}`);
        },
        signal,
        { synchronous_commit: "local" },
      );
    },
  };
}

function slotInUse(place: string, slot: string, pid: number | null): ReplicationError {
  return new ReplicationError(
    "still-in-use",
    `slot ${slot} on ${place} is being read${pid === null ? "" : ` by process ${pid} of the server`}`,
    { fix: "stop every `lockstep run` of this pipeline first" },
  );
}

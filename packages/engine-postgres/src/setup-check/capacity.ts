import { errorFinding, type Finding, nameList } from "@lockstep/core";
import type { Client } from "pg";
import type { SlotRow } from "../source/slot.ts";

interface CapacityRow {
  readonly maxSlots: number;
  readonly slots: number;
  readonly maxSenders: number;
  readonly senders: number;
  readonly keepSize: string;
  /** PostgreSQL 18. */
  readonly idleTimeout: string | null;
  /** PostgreSQL 17; with the state of each slot that it names. */
  readonly standbySlots: readonly { readonly name: string; readonly isActive: boolean }[];
  readonly hasFailover: boolean;
  readonly physicalSlots: number;
  /** How much may still be written before the slot is lost; null where there is none, or no limit. */
  readonly safe: string | null;
}

const READ_CAPACITY = `
  select current_setting('max_replication_slots')::int as "maxSlots",
         (select count(*)::int from pg_catalog.pg_replication_slots) as "slots",
         current_setting('max_wal_senders')::int as "maxSenders",
         (select count(*)::int from pg_catalog.pg_stat_replication) as "senders",
         current_setting('max_slot_wal_keep_size') as "keepSize",
         current_setting('idle_replication_slot_timeout', true) as "idleTimeout",
         (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                   'name', w.name, 'isActive', coalesce(s.active, false))), '[]')
            from pg_catalog.unnest(pg_catalog.string_to_array(
                   nullif(current_setting('synchronized_standby_slots', true), ''), ',')) n(raw)
            cross join lateral (select pg_catalog.btrim(n.raw, ' "') as name) w
            left join pg_catalog.pg_replication_slots s on s.slot_name = w.name) as "standbySlots",
         current_setting('server_version_num')::int >= 170000 as "hasFailover",
         (select count(*)::int from pg_catalog.pg_replication_slots where slot_type = 'physical') as "physicalSlots",
         (select pg_catalog.pg_size_pretty(safe_wal_size) from pg_catalog.pg_replication_slots
           where slot_name = $1) as "safe"`;

/** Whether the primary has room for us, and what it does with the log that it keeps for us. */
export async function findCapacity(
  client: Client,
  slotName: string,
  slot: SlotRow | null,
): Promise<Finding[]> {
  const { rows } = await client.query<CapacityRow>(READ_CAPACITY, [slotName]);
  const [row] = rows;
  if (row === undefined) return [];
  return [
    ...roomFor(row, slot),
    ...(slot?.walStatus === "unreserved" ? [endangered(slotName)] : []),
    keptLog(row, slot !== null),
    ...idleTimeout(row),
    ...standbySlots(row),
  ];
}

function roomFor({ maxSlots, slots, maxSenders, senders }: CapacityRow, slot: SlotRow | null): Finding[] {
  const findings: Finding[] = [];
  if (slot === null && slots >= maxSlots) {
    findings.push(
      errorFinding("setup-incomplete", `all ${maxSlots} replication slots of the primary are in use`, {
        fix: "drop a slot that nobody reads (pg_replication_slots), or run on the primary, then restart it",
        sql: `alter system set max_replication_slots = ${maxSlots + 10}`,
      }),
    );
  }
  if (slot?.isActive !== true && senders >= maxSenders) {
    findings.push(
      errorFinding("server-unavailable", `all ${maxSenders} WAL senders of the primary are in use`, {
        fix: "end one that is not needed (pg_stat_replication), or run on the primary, then restart it",
        sql: `alter system set max_wal_senders = ${maxSenders + 10}`,
      }),
    );
  }
  return findings;
}

function endangered(slotName: string): Finding {
  return {
    level: "warning",
    code: "wal-endangered",
    what: `the primary is about to remove WAL that slot ${slotName} needs (wal_status unreserved)`,
    fix: "start the pipeline now, and run on the primary, then select pg_reload_conf()",
    sql: "alter system set max_slot_wal_keep_size = -1",
  };
}

function keptLog({ keepSize, safe }: CapacityRow, hasSlot: boolean): Finding {
  if (keepSize === "-1") {
    return {
      level: "warning",
      code: "wal-unbounded",
      what:
        "max_slot_wal_keep_size of the primary is not set: while the pipeline does not run, the primary keeps " +
        "all its WAL, until its disk is full and it stops",
      fix: "run on the primary, with what its disk can spare (beyond it the replicas must be copied anew), then select pg_reload_conf()",
      sql: "alter system set max_slot_wal_keep_size = '50GB'",
    };
  }
  const left = hasSlot && safe !== null ? `; of it ${safe} are left now` : "";
  return {
    level: "info",
    code: "wal-bounded",
    what:
      `max_slot_wal_keep_size of the primary is ${keepSize}: while the pipeline does not run the primary keeps ` +
      `that much WAL; beyond it the pipeline must be made anew${left}`,
  };
}

function idleTimeout({ idleTimeout: timeout }: CapacityRow): Finding[] {
  if (timeout === null || timeout === "0") return [];
  return [
    {
      level: "warning",
      code: "slot-times-out",
      what: `idle_replication_slot_timeout of the primary is ${timeout}: a pipeline that does not run for so long must be made anew`,
      fix: "run on the primary, unless that is what is wanted, then select pg_reload_conf()",
      sql: "alter system set idle_replication_slot_timeout = 0",
    },
  ];
}

/** Our slot can fail over, so the server sends nothing that these have not confirmed. */
function standbySlots({ standbySlots: slots, hasFailover, physicalSlots }: CapacityRow): Finding[] {
  if (!hasFailover) return [];
  const idle = slots.filter(({ isActive }) => !isActive).map(({ name }) => name);
  if (idle.length > 0) {
    return [
      {
        level: "warning",
        code: "standby-slots",
        what: `synchronized_standby_slots of the primary names ${nameList(idle)}, which no standby reads: until one does, nothing is replicated`,
        fix: "start that standby, or take the name out on the primary (alter system set synchronized_standby_slots = …; select pg_reload_conf())",
      },
    ];
  }
  if (slots.length > 0) {
    const names = nameList(slots.map(({ name }) => name));
    const what = `changes are replicated once the standbys of ${names} have them (synchronized_standby_slots): a failover to one loses none`;
    return [{ level: "info", code: "standby-slots", what }];
  }
  if (physicalSlots === 0) return [];
  return [
    {
      level: "info",
      code: "standby-slots",
      what: "the primary has standbys, and synchronized_standby_slots is not set: after a failover to one, replicas may be ahead of it",
      fix: "name the standbys' slots in synchronized_standby_slots of the primary",
    },
  ];
}

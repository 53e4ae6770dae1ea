import type { ReplicaReport, StatusReport } from "./status-report.ts";

/** A value that is not known is null, and gives no sample. */
type Sample = readonly [value: number | null, labels?: Readonly<Record<string, string>>];

export interface Metric<Of> {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly labels?: readonly string[];
  readonly samples: (of: Of) => readonly Sample[];
}

const WAL_STATUSES = ["reserved", "extended", "unreserved", "lost"];
const GATE_STATES = ["off", "waiting", "armed", "degraded-replicas", "degraded-log", "degraded"];
const STATES = ["waiting", "copying", "following", "halted", "paused", "disabled"];

export const STATUS_METRICS: readonly Metric<StatusReport>[] = [
  {
    name: "replication_active",
    help: "1 while this process publishes and applies, 0 while it starts or stands by",
    type: "gauge",
    labels: ["mode"],
    samples: ({ active, mode }) => [[Number(active), { mode }]],
  },
  {
    name: "replication_healthy_replicas",
    help: "Replicas that are connected and past their first copy",
    type: "gauge",
    samples: ({ healthyReplicas }) => [[healthyReplicas]],
  },
  {
    name: "replication_total_replicas",
    help: "Replicas of the configuration that are enabled",
    type: "gauge",
    samples: ({ totalReplicas }) => [[totalReplicas]],
  },
  {
    name: "replication_quorum_needed",
    help: "How many replicas must have a transaction before it counts as replicated; 0 in mode async",
    type: "gauge",
    samples: ({ quorum }) => [[quorum.needed]],
  },
  {
    name: "replication_quorum_replicas",
    help: "How many replicas count for the quorum: those that are enabled and not in their first copy",
    type: "gauge",
    samples: ({ quorum }) => [[quorum.of]],
  },
  {
    name: "replication_primary_connected",
    help: "1 while the primary's log is streamed",
    type: "gauge",
    samples: ({ primary }) => [[Number(primary.connected)]],
  },
  {
    name: "replication_primary_retained_bytes",
    help: "Log that the primary keeps for the pipeline, as last heard",
    type: "gauge",
    samples: ({ primary }) => [[primary.retainedBytes]],
  },
  {
    name: "replication_gate",
    help: "1 for how the commit gate is (docs/gate.md), 0 for the rest",
    type: "gauge",
    labels: ["state"],
    samples: ({ primary }) => oneOf("state", GATE_STATES, primary.gate),
  },
  {
    name: "replication_primary_wal_status",
    help: "1 for what the primary says of the log that it keeps (wal_status of pg_replication_slots), 0 for the rest",
    type: "gauge",
    labels: ["status"],
    samples: ({ primary }) => oneOf("status", WAL_STATUSES, primary.walStatus),
  },
  {
    name: "replication_transactions_published",
    help: "Transactions that this process appended to the topic",
    type: "counter",
    samples: ({ primary }) => [[primary.stats.transactions]],
  },
  {
    name: "replication_events_published",
    help: "Changes that this process appended to the topic",
    type: "counter",
    samples: ({ primary }) => [[primary.stats.events]],
  },
  {
    name: "replication_records_published",
    help: "Records that this process appended to the topic",
    type: "counter",
    samples: ({ primary }) => [[primary.stats.records]],
  },
];

export const REPLICA_METRICS: readonly Metric<ReplicaReport>[] = [
  {
    name: "replica_connected",
    help: "1 while a session with the replica is open",
    type: "gauge",
    samples: ({ connected, state }) => [[state === "disabled" ? null : Number(connected)]],
  },
  {
    name: "replica_state",
    help: "1 for the state that the replica is in, 0 for the others",
    type: "gauge",
    labels: ["state"],
    samples: ({ state }) => oneOf("state", STATES, state),
  },
  {
    name: "replica_lag_seconds",
    help: "How old the oldest commit is that the replica does not have, by the primary's clock; 0 when it has all",
    type: "gauge",
    samples: ({ lagSeconds }) => [[lagSeconds]],
  },
  {
    name: "replica_queue_size",
    help: "Records between the replica and the topic's end",
    type: "gauge",
    samples: ({ queueSize }) => [[queueSize]],
  },
  {
    name: "replica_events_processed",
    help: "Changes that this process applied to the replica",
    type: "counter",
    samples: ({ stats }) => [[stats.eventsProcessed]],
  },
  {
    name: "replica_events_failed",
    help: "Changes that halted the replica",
    type: "counter",
    samples: ({ stats }) => [[stats.eventsFailed]],
  },
  {
    name: "replica_conflicts",
    help: "Changes that met another state than the primary's, resolved by onConflict",
    type: "counter",
    samples: ({ stats }) => [[stats.conflicts]],
  },
  {
    name: "replica_avg_lag_ms",
    help: "Mean milliseconds from the commit on the primary to the replica's ack, over about a minute",
    type: "gauge",
    samples: ({ stats }) => [[stats.averageLagMs]],
  },
  {
    name: "replica_tables_left_out",
    help: "Tables that came later and that the replica cannot be given by now",
    type: "gauge",
    samples: ({ leftOut }) => [[leftOut?.tables.length ?? 0]],
  },
  {
    name: "replica_copy_ratio",
    help: "How much of a copy is done, from 0 to 1, while there is one",
    type: "gauge",
    samples: ({ copy }) => [[copy?.done ?? null]],
  },
];

function oneOf(label: string, all: readonly string[], is: string | null): Sample[] {
  return is === null ? [] : all.map((value) => [Number(value === is), { [label]: value }]);
}

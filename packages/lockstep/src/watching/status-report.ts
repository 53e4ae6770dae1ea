import { ReplicationError, type ErrorCode, type GateStatus } from "@lockstep/core";
import type { CopyStatus, PipelineStatus, ReplicaStatus, SourceStatus } from "@lockstep/pipeline";
import type { Config } from "../config-schema.ts";
import { withoutSecrets } from "../secrets.ts";

/** `/status`: how a running pipeline is. What is counted, is counted since the process began. */
export interface StatusReport {
  readonly pipeline: string;
  /** This process publishes and applies; false while it starts, and while another run does. */
  readonly active: boolean;
  readonly state: PipelineStatus["state"];
  readonly mode: PipelineStatus["quorum"]["mode"];
  readonly quorum: QuorumReport;
  /** Connected, and past their first copy. */
  readonly healthyReplicas: number;
  /** Those that are enabled. */
  readonly totalReplicas: number;
  readonly primary: PrimaryReport;
  readonly replicas: Readonly<Record<string, ReplicaReport>>;
}

interface QuorumReport {
  /** How many replicas must have a transaction, … */
  readonly needed: number;
  /** … of how many that count: enabled, and not in their first copy. */
  readonly of: number;
  /** They have everything that was committed through here; with none needed, the topic has. */
  readonly position: string | null;
}

interface PrimaryReport {
  readonly name: string;
  readonly connected: boolean;
  /** Everything committed through here is durable in the topic. */
  readonly position: string | null;
  /** Bytes of log that the primary keeps for the pipeline; as heard at most 10 s ago, while it is connected. */
  readonly retainedBytes: number | null;
  readonly walStatus: string | null;
  /** Whether commits wait (docs/gate.md); null while this run does not stream. */
  readonly gate: GateStatus["state"] | null;
  readonly stats: { readonly transactions: number; readonly events: number; readonly records: number };
  readonly error: ErrorReport | null;
}

export interface ReplicaReport {
  readonly connected: boolean;
  /** `disabled`: by the configuration. */
  readonly state: ReplicaStatus["state"] | "disabled";
  readonly offset: number | null;
  readonly position: string | null;
  /** Records of the topic. */
  readonly queueSize: number | null;
  readonly lagSeconds: number | null;
  readonly stats: {
    readonly eventsProcessed: number;
    readonly eventsFailed: number;
    readonly conflicts: number;
    readonly averageLagMs: number | null;
  };
  readonly copy: CopyStatus | null;
  readonly error: ErrorReport | null;
  /** Tables that came later, which it cannot be given by now. */
  readonly leftOut: { readonly tables: readonly string[]; readonly error: ErrorReport | null } | null;
}

interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix: string | null;
}

export function reportStatus(
  status: PipelineStatus,
  { pipeline, primary, replicas: configured }: Pick<Config, "pipeline" | "primary" | "replicas">,
): StatusReport {
  const replicas = Object.values(status.replicas);
  const { mode, needed, of, position } = status.quorum;
  return {
    pipeline,
    active: status.state === "publishing",
    state: status.state,
    mode,
    quorum: { needed, of, position },
    healthyReplicas: replicas.filter(isHealthy).length,
    totalReplicas: replicas.length,
    primary: reportPrimary(primary.name, status.source),
    replicas: Object.fromEntries(
      configured.map(({ name }) => {
        const replica = status.replicas[name];
        return [name, replica === undefined ? DISABLED : reportReplica(replica)];
      }),
    ),
  };
}

/** What the pipeline was not given. */
const DISABLED: ReplicaReport = {
  connected: false,
  state: "disabled",
  offset: null,
  position: null,
  queueSize: null,
  lagSeconds: null,
  stats: { eventsProcessed: 0, eventsFailed: 0, conflicts: 0, averageLagMs: null },
  copy: null,
  error: null,
  leftOut: null,
};

/** Why the pipeline cannot be said to do its work; nothing when it does, for one replica at least. */
export function notReady({ active, state, primary, replicas, healthyReplicas }: StatusReport): string[] {
  if (!active) return [state === "standby" ? "another run holds the source; standing by" : "it is starting"];
  const reasons: string[] = [];
  if (!primary.connected) reasons.push(`primary ${primary.name} is not connected`);
  if (healthyReplicas > 0) return reasons;
  for (const [name, { state: is }] of Object.entries(replicas))
    if (is !== "disabled") reasons.push(`replica ${name} is ${is}`);
  return reasons;
}

function isHealthy({ isConnected, state }: ReplicaStatus): boolean {
  return isConnected && state === "following";
}

function reportPrimary(name: string, source: SourceStatus): PrimaryReport {
  const { isConnected, position, retained, gate, transactions, events, records, error } = source;
  return {
    name,
    connected: isConnected,
    position,
    retainedBytes: retained?.bytes ?? null,
    walStatus: retained?.walStatus ?? null,
    gate: gate?.state ?? null,
    stats: { transactions, events, records },
    error: reportError(error),
  };
}

function reportReplica(replica: ReplicaStatus): ReplicaReport {
  const { isConnected, state, offset, acked, queueSize, lagMs, averageLagMs, copy, error } = replica;
  const { eventsProcessed, eventsFailed, conflicts, leftOut } = replica;
  return {
    connected: isConnected,
    state,
    offset: offset === null ? null : Number(offset),
    position: acked,
    queueSize,
    lagSeconds: lagMs === null ? null : Math.round(lagMs) / 1_000,
    stats: {
      eventsProcessed,
      eventsFailed,
      conflicts,
      averageLagMs: averageLagMs === null ? null : Math.round(averageLagMs * 100) / 100,
    },
    copy,
    error: reportError(error),
    leftOut: leftOut && { tables: leftOut.tables, error: reportError(leftOut.error) },
  };
}

/** S1: of a driver's error only the message, which may not hold a url's password. */
function reportError(error: unknown): ErrorReport | null {
  if (error === null || error === undefined) return null;
  if (!(error instanceof ReplicationError)) {
    const message = error instanceof Error ? error.message : "unknown";
    return { code: "internal", message: withoutSecrets(message), fix: null };
  }
  const { code, message, fix } = error;
  return { code, message: withoutSecrets(message), fix: fix === undefined ? null : withoutSecrets(fix) };
}

import type { Flavour } from "../flavour.ts";
import type { Session } from "../session.ts";

/** What a server calls the parts of its semi-synchronous replication. */
export interface SemiSyncNames {
  readonly prefix: string;
  readonly enabled: string;
  readonly timeout: string;
  readonly waitPoint: string;
  readonly waitNoReplica: string;
  /** Null: one is enough, always. */
  readonly replicaCount: string | null;
}

const NAMES: Readonly<Record<Flavour, SemiSyncNames>> = {
  mysql: {
    prefix: "rpl_semi_sync_source",
    enabled: "rpl_semi_sync_source_enabled",
    timeout: "rpl_semi_sync_source_timeout",
    waitPoint: "rpl_semi_sync_source_wait_point",
    waitNoReplica: "rpl_semi_sync_source_wait_no_replica",
    replicaCount: "rpl_semi_sync_source_wait_for_replica_count",
  },
  mariadb: {
    prefix: "rpl_semi_sync_master",
    enabled: "rpl_semi_sync_master_enabled",
    timeout: "rpl_semi_sync_master_timeout",
    waitPoint: "rpl_semi_sync_master_wait_point",
    waitNoReplica: "rpl_semi_sync_master_wait_no_slave",
    replicaCount: null,
  },
};

/** Seven weeks: the longest that both servers take. */
const LONGEST_MS = 4_294_967_295;

/** Variables of a server by name, with values as it shows them. */
export type Variables = Readonly<Record<string, string>>;

export interface SemiSyncState {
  /** Null where the server has no semi-synchronous replication (MySQL without its plugin). */
  readonly variables: Variables | null;
  /** Commits wait, by the server's own word: OFF once one has waited for too long, until somebody has caught up. */
  readonly isOn: boolean;
  /** Readers that answer, or are to. */
  readonly clients: number;
  readonly waiting: number;
  /** Commits that returned with an answer, and … */
  readonly answered: number;
  /** … without one, since the server started. */
  readonly unanswered: number;
  /** How often commits stopped waiting, since the server started. */
  readonly lapses: number;
  /** Seconds since 1970, as the server noted it then: another one, another life. */
  readonly startedAt: number;
  /** Whole seconds since then. */
  readonly uptimeS: number;
}

export function namesOf(flavour: Flavour): SemiSyncNames {
  return NAMES[flavour];
}

/** What is set while the gate is armed; null: a commit waits for as long as it takes. */
export function armedVariables(flavour: Flavour, degradeAfterMs: number | null): Variables {
  const { enabled, timeout, waitPoint, waitNoReplica, replicaCount } = namesOf(flavour);
  return {
    [timeout]: String(Math.min(degradeAfterMs ?? LONGEST_MS, LONGEST_MS)),
    [waitPoint]: "AFTER_SYNC", // A row that the quorum lacks is shown to nobody.
    [waitNoReplica]: "ON", // A run that was killed lets no commit go early.
    ...(replicaCount === null ? {} : { [replicaCount]: "1" }),
    [enabled]: "ON",
  };
}

/** Needs no right. */
export async function readSemiSync(session: Session, flavour: Flavour): Promise<SemiSyncState> {
  const { prefix } = namesOf(flavour);
  const variables = await shown(session, "variables", `${prefix}%`);
  const status = new Map(Object.entries(await shown(session, "status", `${prefix}%`)));
  const count = (name: string): number => Number(status.get(`${prefix}_${name}`) ?? 0);
  const { startedAt, uptimeS } = await readStart(session, flavour);
  return {
    variables: Object.keys(variables).length === 0 ? null : variables,
    isOn: status.get(`${prefix}_status`) === "ON",
    clients: count("clients"),
    waiting: count("wait_sessions"),
    answered: count("yes_tx"),
    unanswered: count("no_tx"),
    lapses: count("no_times"),
    startedAt,
    uptimeS,
  };
}

/** In one statement both are of one moment: what they give is what the server noted, whatever its clock did since. */
async function readStart(
  session: Session,
  flavour: Flavour,
): Promise<Pick<SemiSyncState, "startedAt" | "uptimeS">> {
  const schema = flavour === "mysql" ? "performance_schema" : "information_schema";
  const [row] = await session.query(
    `select variable_value as uptime, unix_timestamp() - variable_value as started
       from ${schema}.global_status where variable_name = 'Uptime'`,
  );
  return { startedAt: Number(row?.["started"] ?? 0), uptimeS: Number(row?.["uptime"] ?? 0) };
}

/** Names in lower case: the servers do not agree with themselves. */
async function shown(session: Session, what: "variables" | "status", like: string): Promise<Variables> {
  const rows = await session.query(`show global ${what} like '${like}'`);
  return Object.fromEntries(
    rows.map((row) => [(row["Variable_name"] ?? "").toLowerCase(), row["Value"] ?? ""]),
  );
}

/** What of it is not so now, as `name = value`. */
export function differences(wanted: Variables, found: Variables | null): string[] {
  return Object.entries(wanted).flatMap(([name, value]) => {
    const now = found?.[name];
    return now === value ? [] : [`${name} = ${now ?? "(none)"}`];
  });
}

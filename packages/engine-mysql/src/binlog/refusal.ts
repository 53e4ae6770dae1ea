import { ReplicationError, type ErrorCode } from "@lockstep/core";
import { ServerError, toReplicationError } from "../server-error.ts";

/** The server gives the reason as text only: what it says differs between flavours, and little between versions. */
const FATAL_READING = 1236;
/** MariaDB: another reader with our number has come. */
const SAME_SERVER_ID = 4052;
/** MariaDB: a GTID of ours is not in its log, or not where it should be. */
const GTID_UNKNOWN = [1945, 1955];

interface Reason {
  readonly words: RegExp;
  readonly code: ErrorCode;
  readonly fix: string;
}

const REASONS: readonly Reason[] = [
  {
    words: /server_uuid\/server_id|same server_id/i,
    code: "config-invalid",
    fix: "give each reader of this primary a server id of its own; SHOW REPLICAS there lists those in use",
  },
  {
    words:
      /has more GTIDs than the (?:source|master)|not in the (?:source|master)'s binlog|position > file size/i,
    code: "server-changed",
    fix: "the primary lost the end of its log, or is another server: make the pipeline anew",
  },
  {
    words: /purged|could not find first log file name|could not find GTID state|missing transactions/i,
    code: "slot-missing",
    fix: "make the pipeline anew, with a snapshot; keep logs longer there (binlog_expire_logs_seconds)",
  },
  {
    words: /max_allowed_packet/i,
    code: "setup-incomplete",
    fix: "SET GLOBAL max_allowed_packet = 1073741824 on the primary, and in its configuration",
  },
  {
    words: /anonymous transaction/i,
    code: "setup-incomplete",
    fix: "set gtid_mode = ON on the primary and leave it so; what was committed without ids cannot be asked for: then make the pipeline anew, with a snapshot",
  },
  {
    words: /GTID_MODE|gtid.?mode/i,
    code: "setup-incomplete",
    fix: "set gtid_mode = ON on the primary (by OFF_PERMISSIVE and ON_PERMISSIVE)",
  },
];

/** What the server said when it refused to begin or to go on, sorted. */
export function refusal(code: number, message: string, { place, serverId }: RefusedReader): ReplicationError {
  const reason = reasonOf(code, message);
  if (reason !== null) {
    const own = reason.code === "config-invalid" ? ` (server id ${serverId})` : "";
    return new ReplicationError(reason.code, `${place} ended the stream of its log${own}: ${message}`, {
      fix: reason.fix,
      fields: { place, serverId },
    });
  }
  const known = toReplicationError(new ServerError(message, code, "HY000"), place);
  if (known instanceof ReplicationError) return known;
  return new ReplicationError(
    "protocol-violation",
    `${place} ended the stream of its log: ${message} (error ${code})`,
    { fix: "look into the primary's own log for why", fields: { place } },
  );
}

export interface RefusedReader {
  readonly place: string;
  readonly serverId: number;
}

function reasonOf(code: number, message: string): Reason | null {
  if (code === SAME_SERVER_ID) return REASONS[0] ?? null;
  if (code !== FATAL_READING && !GTID_UNKNOWN.includes(code)) return null;
  return REASONS.find(({ words }) => words.test(message)) ?? null;
}

import { ReplicationError, type Position } from "@lockstep/core";

/** What was asked for is not there, or not any more. */
const FATAL_READING = 1236;
/** Another reader has come under our number. */
const SAME_NUMBER = /same server_(?:uuid|id)|same server_uuid\/server_id/i;
const ENDED_FOR_ANOTHER = 4052;
const GONE =
  /purged|could not find first log file|not in the (?:master|source)'s binlog|impossible position|missing/i;

/** Why a server gives its log no longer; `position` is what we have of it. */
export function dumpRefused(code: number, message: string, position: Position): ReplicationError {
  const said = `${code}: ${message}`;
  if (SAME_NUMBER.test(message) || code === ENDED_FOR_ANOTHER) {
    return new ReplicationError(
      "setup-incomplete",
      `another replica of the primary has our server id, so that the server ended this reader (${said})`,
      { fix: "give that replica another server_id, or this pipeline another name" },
    );
  }
  if (code === FATAL_READING && GONE.test(message)) {
    return new ReplicationError(
      "history-gap",
      `the primary no longer has its log from ${position} on (${said})`,
      {
        fix: "raise binlog_expire_logs_seconds (MariaDB: expire_logs_days) above the longest pause, remove the pipeline, and start it anew",
        fields: { position },
      },
    );
  }
  return new ReplicationError("connection-lost", `the primary ended the stream (${said})`);
}

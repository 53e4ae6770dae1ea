/**
 * What to do about an error:
 * - `retry`: it passes by itself; wait and go on. Kept narrow.
 * - `operator`: a person must change something; then the same work can go on.
 * - `resync`: history is gone or another; the replica or the pipeline must be made anew.
 * - `fatal`: go no further in this process.
 */
export type ErrorAction = "retry" | "operator" | "resync" | "fatal";

export type ErrorCode =
  | "connection-lost"
  | "server-unavailable"
  | "log-unavailable"
  | "append-uncertain"
  | "source-busy"
  | "source-changed"
  | "copy-stalled"
  | "authentication-failed"
  | "tls-failed"
  | "permission-denied"
  | "config-invalid"
  | "address-taken"
  | "not-running"
  | "token-invalid"
  | "no-readable-replica"
  | "setup-incomplete"
  | "gate-unavailable"
  | "still-in-use"
  | "topic-misconfigured"
  | "table-not-supported"
  | "table-not-empty"
  | "schema-mismatch"
  | "replica-paused"
  | "not-begun"
  | "apply-refused"
  | "copy-refused"
  | "conflict-halted"
  | "row-incomplete"
  | "row-too-large"
  | "quorum-not-reached"
  | "write-lost"
  | "publisher-fenced"
  | "replica-claimed"
  | "history-gap"
  | "history-diverged"
  | "epoch-conflict"
  | "server-changed"
  | "slot-missing"
  | "slot-ahead"
  | "slot-not-ours"
  | "progress-without-history"
  | "progress-missing"
  | "log-missing"
  | "offset-out-of-range"
  | "record-corrupt"
  | "codec-unknown"
  | "protocol-violation"
  | "internal";

export interface ErrorEntry {
  readonly action: ErrorAction;
  /** One sentence for docs/errors.md. */
  readonly means: string;
}

/** Every error there is. docs/errors.md is made from this by scripts/errors-page.mjs. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = {
  // Servers and links
  "connection-lost": {
    action: "retry",
    means: "A connection to a database broke, or the session was ended by the server or by another claim.",
  },
  "server-unavailable": {
    action: "retry",
    means:
      "A database answers, but not now: it starts, stops, recovers, is read-only, has no connection, disk or memory left, or ended a deadlock.",
  },
  "log-unavailable": {
    action: "retry",
    means: "No broker of the event log answers, or none leads the topic.",
  },
  "append-uncertain": {
    action: "retry",
    means:
      "Nobody can say any more whether an append reached the log; the publisher starts anew and reads it back.",
  },
  "source-busy": { action: "retry", means: "Another run holds the primary's slot; this one stands by." },
  "source-changed": {
    action: "retry",
    means:
      "Tables of the primary were dropped, rewritten or truncated while they were looked at or copied, or rows without a key came in another order when they were read again.",
  },
  "copy-stalled": {
    action: "retry",
    means: "A replica took no rows for a while; the primary's table was let go, and the range is read again.",
  },
  "authentication-failed": {
    action: "operator",
    means: "A database or a broker refuses the user, the password, or how we authenticate.",
  },
  "tls-failed": {
    action: "operator",
    means:
      "TLS with a server is not agreed on: its certificate is expired, for another name or from nobody we trust, it refuses ours, or only one side speaks TLS.",
  },
  "permission-denied": {
    action: "operator",
    means: "A role lacks a right; the message and the fix name it, and the change that needed it.",
  },
  // Configuration and set-up
  "config-invalid": {
    action: "operator",
    means: "The configuration file, or an argument, is wrong; each wrong key is named with its line.",
  },
  "address-taken": {
    action: "operator",
    means:
      "The address at which status and metrics are to be served (`http.listen`) is taken, or is none of this machine's.",
  },
  "not-running": {
    action: "operator",
    means:
      "No running pipeline answers at the address that was asked, or the library's manager is not started, or stopped.",
  },
  "token-invalid": {
    action: "operator",
    means:
      "A read-your-writes token was cut or changed, or is of another pipeline or an epoch that this one does not know.",
  },
  "no-readable-replica": {
    action: "operator",
    means:
      "No replica may be read now: all are away, copying, halted, paused or too far behind, and `fallback` is `error`.",
  },
  "setup-incomplete": {
    action: "operator",
    means: "A server lacks a setting or a database; the fix is the statement that sets it.",
  },
  "gate-unavailable": {
    action: "operator",
    means: "The primary cannot let commits wait for the pipeline; nothing was changed, and none waits.",
  },
  "still-in-use": {
    action: "operator",
    means: "Something is to be removed that a run uses: stop the run first.",
  },
  "topic-misconfigured": {
    action: "operator",
    means: "The topic, as it is set, could lose or reorder what is appended.",
  },
  "table-not-supported": {
    action: "operator",
    means: "A table that the configuration includes cannot be followed; each is named with the reason.",
  },
  "table-not-empty": {
    action: "operator",
    means: "A table of a replica holds rows before it is copied, and `snapshot.existing` is `refuse`.",
  },
  "schema-mismatch": {
    action: "operator",
    means: "A replica's table differs from the primary's; the fix is the statement that mends it.",
  },
  "replica-paused": {
    action: "operator",
    means: "`lockstep pause` has stopped the replica; `lockstep resume` lets it go on.",
  },
  "not-begun": {
    action: "operator",
    means: "No run has begun with a replica yet, so that there is nothing to pause or resume.",
  },
  // What a replica cannot accept
  "apply-refused": {
    action: "operator",
    means:
      "The replica's server refuses a change, and would again; record, transaction, table, key and SQLSTATE are named, never the row.",
  },
  "copy-refused": {
    action: "operator",
    means: "The replica's server refuses rows of a table that is copied; it is tried again by itself.",
  },
  "conflict-halted": {
    action: "operator",
    means: "A change met another state than the primary's, and `onConflict` is `halt`.",
  },
  "row-incomplete": {
    action: "operator",
    means:
      "An update found no row and does not carry every column, so that no policy can mend it; or the primary's log leaves out what a new row got.",
  },
  "row-too-large": {
    action: "operator",
    means: "A row of the primary is above `maxRowBytes`; table and key are named.",
  },
  // What waits for replicas
  "quorum-not-reached": {
    action: "retry",
    means:
      "A wait ended before so many replicas had the write: it is committed on the primary, and may be waited for again.",
  },
  "write-lost": {
    action: "operator",
    means:
      "What is waited for is in no history that goes on: the primary has changed or lost the end of its log.",
  },
  // Roles
  "publisher-fenced": {
    action: "fatal",
    means: "Another publisher has opened the topic; this one may not append.",
  },
  "replica-claimed": {
    action: "fatal",
    means: "Another run has claimed the replica; this one stops applying to it.",
  },
  // History
  "history-gap": {
    action: "resync",
    means: "What lies between a replica's position and the next record is in no log any more.",
  },
  "history-diverged": { action: "resync", means: "Two logs tell the same stretch of history differently." },
  "epoch-conflict": {
    action: "resync",
    means: "A replica follows another history of the same name than the topic's.",
  },
  "server-changed": {
    action: "resync",
    means: "The primary is not the server that wrote the topic, or has lost the end of its log.",
  },
  "slot-missing": {
    action: "resync",
    means: "The topic has history, but the primary's slot is gone, and with it what was committed since.",
  },
  "slot-ahead": {
    action: "resync",
    means:
      "The slot was confirmed beyond the topic's end: the topic lost its end, or somebody advanced the slot.",
  },
  "slot-not-ours": {
    action: "operator",
    means: "A slot or publication of our name was made, changed or dropped by somebody else.",
  },
  "progress-without-history": {
    action: "resync",
    means: "A replica has progress, but the topic was never written: the history it followed is gone.",
  },
  "progress-missing": {
    action: "resync",
    means: "A replica was copied before, but its progress is gone: copying it again is a person's decision.",
  },
  "log-missing": { action: "resync", means: "The topic does not exist." },
  "offset-out-of-range": {
    action: "resync",
    means: "The log no longer has, or does not have yet, what is to be read.",
  },
  // Bytes
  "record-corrupt": { action: "fatal", means: "A record's checksum or form is wrong." },
  "codec-unknown": { action: "fatal", means: "A record was written by a newer lockstep." },
  "protocol-violation": { action: "fatal", means: "A server sent what its protocol does not allow." },
  internal: { action: "fatal", means: "A bug of ours." },
};

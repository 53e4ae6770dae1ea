/**
 * What to do about each error, by code:
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
  | "authentication-failed"
  | "permission-denied"
  | "config-invalid"
  | "setup-incomplete"
  | "topic-misconfigured"
  | "table-not-supported"
  | "table-not-empty"
  | "schema-mismatch"
  | "apply-refused"
  | "conflict-halted"
  | "row-incomplete"
  | "transaction-too-large"
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
  | "log-missing"
  | "offset-out-of-range"
  | "record-corrupt"
  | "codec-unknown"
  | "protocol-violation"
  | "internal";

export const ERROR_ACTIONS: Readonly<Record<ErrorCode, ErrorAction>> = {
  // Servers and links
  "connection-lost": "retry",
  "server-unavailable": "retry",
  "log-unavailable": "retry",
  "append-uncertain": "retry",
  "source-busy": "retry",
  "authentication-failed": "operator",
  "permission-denied": "operator",
  // Configuration and set-up
  "config-invalid": "operator",
  "setup-incomplete": "operator",
  "topic-misconfigured": "operator",
  "table-not-supported": "operator",
  "table-not-empty": "operator",
  "schema-mismatch": "operator",
  // What a replica cannot accept
  "apply-refused": "operator",
  "conflict-halted": "operator",
  "row-incomplete": "operator",
  "transaction-too-large": "operator",
  // Roles
  "publisher-fenced": "fatal",
  "replica-claimed": "fatal",
  // History
  "history-gap": "resync",
  "history-diverged": "resync",
  "epoch-conflict": "resync",
  "server-changed": "resync",
  "slot-missing": "resync",
  "slot-ahead": "resync",
  "slot-not-ours": "operator",
  "progress-without-history": "resync",
  "log-missing": "resync",
  "offset-out-of-range": "resync",
  // Bytes
  "record-corrupt": "fatal",
  "codec-unknown": "fatal",
  "protocol-violation": "fatal",
  internal: "fatal",
};

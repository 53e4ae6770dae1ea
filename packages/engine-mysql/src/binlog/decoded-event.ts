import type { ReplicationEvent, Table } from "@lockstep/core";
import type { Gtid } from "./gtid.ts";

/** One event of the primary's log: where it stands there, and what it says. */
export interface DecodedEvent {
  /** Seconds since 1970-01-01 UTC when the statement began, on the primary's clock; 0 in events made up by it. */
  readonly timestamp: number;
  readonly serverId: number;
  /** Where the event ends in its file, modulo 2^32; 0 where the primary does not say. */
  readonly endPosition: number;
  /** How many bytes it has; of an event in a payload, unpacked. */
  readonly bytes: number;
  readonly content: EventContent;
}

export type EventContent =
  /** A log file begins; `createdAt` is 0 but for a file that a start of the server began. */
  | { readonly kind: "format"; readonly serverVersion: string; readonly createdAt: number }
  /** What follows is in this file from there on. */
  | { readonly kind: "rotate"; readonly file: string; readonly position: bigint }
  | GtidEvent
  | { readonly kind: "begin"; readonly schema: string }
  /** Ends a transaction of an engine that knows none. */
  | { readonly kind: "commit" }
  | { readonly kind: "rollback" }
  | { readonly kind: "savepoint" | "rollback-to"; readonly name: string }
  /** Ends a transaction. */
  | { readonly kind: "xid"; readonly xid: bigint }
  | { readonly kind: "xa"; readonly action: XaAction; readonly xid: string }
  /** Ends an XA transaction's events: what becomes of it, a later `xa` says; at once where `isOnePhase`. */
  | { readonly kind: "xa-prepare"; readonly xid: string; readonly isOnePhase: boolean }
  /** DDL, or whatever else was logged as a statement. `schema` is the session's; empty without one. */
  | { readonly kind: "query"; readonly schema: string; readonly sql: string }
  | RowsEvent
  | { readonly kind: "heartbeat"; readonly file: string; readonly position: bigint }
  /**
   * A compressed transaction's events but for its GTID, with no place of their own; to be read once, and before
   * the next event is decoded.
   */
  | { readonly kind: "payload"; readonly events: Iterable<DecodedEvent> };

export type XaAction = "start" | "end" | "commit" | "rollback";

export interface GtidEvent {
  readonly kind: "gtid";
  /** Null for a transaction without one (`gtid_mode = OFF`). */
  readonly gtid: Gtid | null;
  /** Microseconds since 1970-01-01 UTC when it was committed on the server it came from; null if only seconds are known. */
  readonly committedAtUs: number | null;
  /** Of all its events with this one; null where the primary does not say. */
  readonly transactionBytes: number | null;
  /** MariaDB: one statement and no commit follow (DDL). */
  readonly isStandalone: boolean;
  /** MariaDB: the transaction that is prepared, or whose end this is. */
  readonly xa: { readonly xid: string; readonly step: "prepare" | "complete" } | null;
}

interface RowsEvent {
  readonly kind: "rows";
  readonly table: Table;
  readonly events: readonly ReplicationEvent[];
  readonly isStatementEnd: boolean;
}

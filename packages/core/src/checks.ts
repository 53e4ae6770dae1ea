import type { CommonTable } from "./common-schema.ts";
import type { Table } from "./event.ts";
import type { Finding } from "./finding.ts";

/*
 * What `check` asks of each place. None of them changes anything, but for a log's probe. All resolve with what is
 * wrong, also when the place cannot be reached, and reject only for a bug or the signal.
 */

/** The database that is to be the primary. */
export interface PrimaryCheck {
  check(signal: AbortSignal): Promise<PrimaryReport>;
}

export interface PrimaryReport {
  readonly findings: readonly Finding[];
  /** Null where the database could not be asked. */
  readonly database: DatabaseIdentity | null;
  /** The pipeline has begun before: its place in the source's log exists. */
  readonly hasBegun: boolean;
  /** What will be replicated. */
  readonly tables: readonly Table[];
  /** The same tables, for replicas of other engines. */
  readonly common: readonly CommonTable[];
  /** Schemas of which tables will be replicated, and that rights hide in whole: replicas say now what they lack for them. */
  readonly hidden: readonly string[];
}

/** The same text for the same database of the same running server, by whatever name it is reached. */
export interface DatabaseIdentity {
  readonly text: string;
  readonly encoding: string;
}

/** A database that is to be a replica. */
export interface ReplicaCheck {
  /** The replica's name in the configuration. */
  readonly replica: string;

  check(primary: PrimaryReport, signal: AbortSignal): Promise<ReplicaReport>;
}

export interface ReplicaReport {
  readonly findings: readonly Finding[];
  readonly database: DatabaseIdentity | null;
  /** The pipeline has begun before: the replica has its progress. */
  readonly hasBegun: boolean;
  /** By `tableKey`; empty where the database could not be asked. */
  readonly arrivals: ReadonlyMap<string, TableArrival>;
}

/** What a table of the primary is on a replica. */
export type TableArrival =
  /** It is not there: it will be made, with these native types by column. */
  | { readonly kind: "to-create"; readonly columns: ReadonlyMap<string, string> }
  /** It is there, and `mismatch` says what does not fit, if anything. */
  | {
      readonly kind: "there";
      /** Native types by column. */
      readonly columns: ReadonlyMap<string, string>;
      /** Those that do not take what the primary's column holds. */
      readonly unfit: ReadonlySet<string>;
      readonly mismatch: string | null;
    };

/** The event log. */
export interface LogCheck {
  /** Only with `mayProbe` something is made there for a moment, and removed. */
  check(options: { readonly mayProbe: boolean }, signal: AbortSignal): Promise<readonly Finding[]>;
}

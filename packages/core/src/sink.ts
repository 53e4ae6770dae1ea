import type { EpochRef } from "./epoch.ts";
import type { EventGroup, ReplicationEvent, SourceTable, TableName } from "./event.ts";
import type { Folded } from "./applying/fold.ts";
import type { Offset } from "./offset.ts";
import type { Position } from "./position.ts";
import type { CopyTarget, ReplicaTable, SchemaDefinition } from "./snapshot.ts";

/** The connector that applies to one replica. */
export interface Sink {
  /** The replica's name in the configuration. */
  readonly replica: string;

  /** The stored progress, or null; claims nothing and changes nothing. */
  readProgress(signal: AbortSignal): Promise<Progress | null>;

  /**
   * Connects and claims the replica for `owner`: ends every other session of this pipeline there, then takes
   * the progress row over. With `takeOver` false it is a reconnect: rejects with `replica-claimed` when
   * another owner has come since (A4).
   */
  claim(owner: string, takeOver: boolean, signal: AbortSignal): Promise<SinkSession>;

  /** Sessions for copying tables into a replica that `owner` has claimed and that knows the tables. */
  openCopy(owner: string, signal: AbortSignal): Promise<CopyTarget>;

  /**
   * A session beside the one that owns the replica, which brings joining tables nearer to its position, while it
   * goes on with the others. The tables are copied, and their marks' `start` is `from`, which every step moves.
   * Ends every former session for copies first.
   */
  openCatchUp(
    owner: string,
    tables: readonly TableName[],
    from: Progress,
    signal: AbortSignal,
  ): Promise<CatchUpSession>;
}

/** What following the topic needs of a session. Any rejection ends it. */
export interface CatchUpSession extends AsyncDisposable {
  /** As stored in the replica. */
  readonly progress: Progress | null;

  /**
   * Applies a window and stores its progress, in one target transaction (A3, A4). Durable once resolved (A1). With
   * `NotAppended` nothing of it stays, and the session goes on.
   */
  apply(window: ApplyWindow, signal: AbortSignal): Promise<ApplyResult>;

  /**
   * Opens the one target transaction of a large source transaction, whose pieces are still to come (A3). Until
   * it is committed or rolled back nothing else may be asked of the session.
   */
  openTransaction(signal: AbortSignal): Promise<TargetTransaction>;

  /** Stores progress alone, after records that changed nothing. */
  saveProgress(progress: Progress, signal: AbortSignal): Promise<void>;
}

/** One connection that owns the replica's progress row. Any rejection but a refusal ends the session. */
export interface SinkSession extends CatchUpSession {
  /** As stored in the replica; null before `beginCopy`. While `isCopying` it says only which epoch is copied. */
  readonly progress: Progress | null;
  /** The first copy has not ended: nothing is applied yet. */
  readonly isCopying: boolean;
  readonly tables: readonly ReplicaTable[];
  /** Aborted as soon as the link is known to be lost, with the error as its reason. */
  readonly lost: AbortSignal;

  /** The explicit first step of a replica: stores `progress`, and `tables` as pending. */
  beginCopy(progress: Progress, tables: readonly SourceTable[], signal: AbortSignal): Promise<void>;

  /** The end of the first copy: every table is copied, and the replica goes on from `progress`. */
  endCopy(progress: Progress, signal: AbortSignal): Promise<void>;

  /** Tables that the replica has not known: pending from now on. One that it knows is left as it is. */
  addTables(tables: readonly SourceTable[], signal: AbortSignal): Promise<void>;

  /** Pending tables that the source does not stream any more. Should one be met all the same, it is unknown again. */
  forgetTables(tables: readonly TableName[], signal: AbortSignal): Promise<void>;

  /** Tables of which the replica's rows are of no use any more: pending again, and to join it. */
  copyAgain(tables: readonly TableName[], signal: AbortSignal): Promise<void>;

  /** Reads anew what is stored of the tables: others write it too. */
  readTables(signal: AbortSignal): Promise<readonly ReplicaTable[]>;

  /**
   * Copied tables that the replica's position has passed: adds what needs all of them together (foreign keys,
   * sequences' values), then they are live. May be called again.
   */
  completeTables(schema: SchemaDefinition, tables: readonly TableName[], signal: AbortSignal): Promise<void>;
}

/** A target transaction that takes the pieces of one source transaction, in order. */
export interface TargetTransaction {
  /** Applies one piece: visible to nobody before `commit`. */
  apply(piece: ChangeSet, signal: AbortSignal): Promise<ApplyResult>;

  /** Stores the progress and commits. Durable once resolved (A1). */
  commit(progress: Progress, signal: AbortSignal): Promise<void>;

  /** As if it had never begun. */
  rollback(signal: AbortSignal): Promise<void>;

  /** A place to return to: what was applied since is undone by `rollbackTo`. One at a time. */
  savepoint(signal: AbortSignal): Promise<void>;
  rollbackTo(signal: AbortSignal): Promise<void>;

  /** Copied tables are like any other with the commit. Asked first: rejects unless their marks still are these. */
  join(tables: readonly ReplicaTable[], signal: AbortSignal): Promise<void>;
}

/** How far a replica is: a row in the replica, written in the same transaction as the data. */
export interface Progress {
  readonly epoch: EpochRef;
  /** The truth. */
  readonly position: Position;
  /** A hint: the record that brought it there, with who appended it. */
  readonly offset: Offset;
  readonly open: Offset;
  readonly run: string;
}

/** What one target transaction applies. */
export interface ApplyWindow extends ChangeSet {
  readonly progress: Progress;
  /** The record is being appended: nothing is committed before this resolves (P1). Rejects with `NotAppended`. */
  readonly appended?: Promise<void>;
}

/** Changes that are applied together. */
export interface ChangeSet {
  /** In source order. */
  readonly groups: readonly RecordChanges[];
  /** The net effect of `groups`, or why there is none. */
  readonly folded: Folded;
}

/** The changes of one record of the topic, or of those of its transactions that are still to be applied. */
export interface RecordChanges extends EventGroup {
  readonly offset: Offset;
  readonly transactions: readonly OriginTransaction[];
}

/** A transaction, or a piece of one, so that a change which is refused can be found on the primary. */
interface OriginTransaction {
  readonly xid: string;
  /** As `Transaction.position`; of a large one whose last piece has not come, the start of its commit record. */
  readonly position: Position;
  readonly events: readonly ReplicationEvent[];
}

export interface ApplyResult {
  readonly events: number;
  /** Changes that met another state than the primary's, resolved by policy. */
  readonly conflicts: number;
}

/** What to do when a change meets another state than the primary had. */
export type ConflictPolicy =
  | { readonly kind: "primary_wins" }
  | { readonly kind: "replica_wins" }
  /** By a timestamp column of the row. */
  | { readonly kind: "latest_wins"; readonly column: string }
  | { readonly kind: "halt" };

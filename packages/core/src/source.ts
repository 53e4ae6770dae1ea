import type { ServerIdentity } from "./epoch.ts";
import type {
  ReplicationEvent,
  SourceTable,
  Table,
  TableName,
  TransactionGroup,
  TransactionMark,
} from "./event.ts";
import type { ComparePositions, Position } from "./position.ts";
import type { Selection } from "./selection.ts";
import type { SchemaDefinition, Snapshot, SnapshotLimits, View } from "./snapshot.ts";

/** The connector that reads a primary's log. */
export interface Source {
  readonly compare: ComparePositions;

  /** Which of its log it tells, where that is its own choice and not the log's. */
  readonly selection?: Selection;

  /** Whether a text from outside is a position of this engine. Pure. */
  isPosition(text: string): text is Position;

  /**
   * Checks and prepares the primary (publication, slot), then takes the source's lock: whoever holds it may
   * publish. Rejects with `source-busy` while another run holds it, after it has ended a holder that no
   * longer lives; call again to keep standing by. Nothing has been read from the stream yet. `reached`: where
   * the topic ends; null, it is unwritten. Else the source's place in the log must exist already: rejects with
   * `slot-missing`.
   */
  acquire(options: { readonly reached: Position | null }, signal: AbortSignal): Promise<SourceSession>;

  /**
   * While no session is held: lets go commits on the primary that wait for one for too long. Resolves when aborted, or
   * where there is nothing to do.
   */
  attendAbsence?(signal: AbortSignal): Promise<void>;

  /** Whether a view has a transaction at or below its `through`. Pure. */
  contains(view: View, xid: string): boolean;

  /**
   * Opens a view of the tables, on connections of its own. Waits for transactions that changed one of them
   * before its changes were streamed. A table that is gone is left out.
   */
  openSnapshot(tables: readonly TableName[], limits: SnapshotLimits, signal: AbortSignal): Promise<Snapshot>;

  /** The definitions of tables as they are now. */
  readSchema(tables: readonly TableName[], signal: AbortSignal): Promise<SchemaDefinition>;
}

/** The source's lock and the stream that comes with it; disposing gives both back. */
export interface SourceSession extends AsyncDisposable {
  readonly server: ServerIdentity;
  /** Where the stream begins: every transaction above it will come. */
  readonly start: Position;
  /** The tables whose changes are streamed. */
  readonly tables: readonly SourceTable[];
  /** The time on the source's own clock, in microseconds since 1970, as last heard and gone on since; null before. */
  readonly nowUs: number | null;
  /** What the source keeps of its log for us, as last heard; null before. */
  readonly retained: RetainedLog | null;

  /** Whether commits on the source wait for what is confirmed; null where a source has no door for that. */
  readonly gate: GateStatus | null;

  /** Throws `server-changed` unless this is the server of `expected`, holding everything through `reached`. */
  verify(expected: ServerIdentity, reached: Position): void;

  /**
   * Transactions in commit order, in batches as they arrive: many whole ones, or a piece of a large one, whose
   * pieces follow each other. Ends only by rejecting: `connection-lost`, `row-too-large`, … At most once per
   * session. A consumer that does not pull stops the socket.
   */
  stream(signal: AbortSignal): AsyncIterable<SourceBatch>;

  /** Tells the primary how far we are (P1). Positions are never moved back. */
  confirm(confirmation: Confirmation): void;

  /**
   * Makes the stream pass a position that somebody waits for, though the primary may write and flush nothing more by
   * itself. Resolves once everything through it has arrived; rejects with `write-lost` when it lies above all that
   * the primary has written, and as the stream does. May be called at any time: calls share what they write.
   */
  nudge(position: Position, signal: AbortSignal): Promise<void>;

  /** Resolves after a fresh round trip proved that the lock is still ours, else rejects. */
  proveLock(signal: AbortSignal): Promise<void>;

  /** Looks for tables that match and are not streamed yet, and takes them in. Returns all that are streamed now. */
  takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]>;
}

/** How much of its log a source keeps for those who have not confirmed it. */
export interface RetainedLog {
  readonly bytes: number;
  /** The source's own word for how safe it is, such as PostgreSQL's `wal_status`. */
  readonly walStatus: string;
}

/** Commits that wait. */
export interface GateStatus {
  /**
   * `waiting`: wanted, and not before the quorum has what was committed until now. `degraded-replicas`: commits wait
   * for the log alone; `degraded-log`: for nothing, since the log is late; `degraded`: for nothing, whatever is late.
   */
  readonly state: "off" | "waiting" | "armed" | "degraded-replicas" | "degraded-log" | "degraded";
  /** Up to here commits did not wait for the quorum; null where there is nothing to make up for. */
  readonly letThrough: Position | null;
}

export type SourceBatch = SourceTransactions | SourcePiece;

/** Whole transactions. */
export interface SourceTransactions extends TransactionGroup, Sent {
  readonly kind: "transactions";
  /** Everything through here has been delivered, in this batch or before. */
  readonly position: Position;
  /** The primary waits to hear of `position`, e.g. to shut down: confirm without delay. */
  readonly isUrgent: boolean;
}

/** A segment of one large transaction; only the last moves the position. */
export type SourcePiece = (BeginPiece | MiddlePiece | EndPiece) & Sent & PieceEvents;

interface BeginPiece {
  readonly kind: "begin";
  readonly xid: string;
  /** The start of the commit record: a position contains the transaction only if strictly above it. */
  readonly commitStart: Position;
  /** As `Transaction.committedAtUs`. */
  readonly committedAtUs: number;
}

interface MiddlePiece {
  readonly kind: "middle";
}

interface EndPiece {
  readonly kind: "end";
  readonly last: TransactionMark;
}

interface PieceEvents {
  readonly tables: ReadonlyMap<number, Table>;
  readonly events: readonly ReplicationEvent[];
}

interface Sent {
  /** How many bytes of log the batch came from, for bounds. */
  readonly bytes: number;
  /** How long after its commit the newest transaction was sent, by the source's clock alone; 0 if unknown. */
  readonly lagMs: number;
  /** How long it took to make it out of the source's bytes. */
  readonly decodeMs: number;
}

export interface Confirmation {
  /** Durable in the event log: the primary may forget it. */
  readonly durable: Position;
  /** Applied by the quorum; null until known. */
  readonly replicated: Position | null;
}

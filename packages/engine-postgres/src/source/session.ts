import {
  abortable,
  includes,
  position,
  ReplicationError,
  type Confirmation,
  type GateStatus,
  type Position,
  type RetainedLog,
  type ServerIdentity,
  type SourceBatch,
  type SourceSession,
  type SourceTable,
} from "@lockstep/core";
import { comparePositions } from "../position.ts";
import type { SystemIdentity } from "../wal/plugin.ts";
import { UnknownColumnType } from "../wal/relation.ts";
import type { WalStream } from "../wal/wal-stream.ts";
import type { GateKeeper } from "../gate/gate-keeper.ts";
import type { Flushing } from "./flushing.ts";
import type { KeptLog } from "./kept-log.ts";

export interface SourceSessionOptions {
  readonly stream: WalStream;
  readonly identity: SystemIdentity;
  readonly start: Position;
  readonly tables: readonly SourceTable[];
  /** Ends with the session. */
  readonly keptLog: KeptLog;
  /** Ends with the session. */
  readonly gate: GateKeeper;
  /** Ends with the session. */
  readonly flushing: Flushing;
  takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]>;
  readHolder(signal: AbortSignal): Promise<number | null>;
  onUnknownType(missing: UnknownColumnType): void;
}

/** The slot, held by a walsender that streams. */
export class PostgresSourceSession implements SourceSession {
  readonly server: ServerIdentity;
  readonly start: Position;
  readonly tables: readonly SourceTable[];
  readonly #options: SourceSessionOptions;

  constructor(options: SourceSessionOptions) {
    const { systemIdentifier, database, timeline } = options.identity;
    this.#options = options;
    this.server = { engine: "postgres", systemIdentifier, database, timeline };
    this.start = options.start;
    this.tables = options.tables;
  }

  get nowUs(): number | null {
    return this.#options.stream.nowUs;
  }

  get retained(): RetainedLog | null {
    return this.#options.keptLog.state;
  }

  get gate(): GateStatus {
    return this.#options.gate.status;
  }

  verify(expected: ServerIdentity, reached: Position): void {
    for (const field of ["engine", "systemIdentifier", "database"]) {
      if (expected[field] !== this.server[field])
        throw serverChanged(field, expected[field], this.server[field]);
    }
    const flushed = position(this.#options.identity.flushed);
    if (!includes(comparePositions, flushed, reached)) {
      throw serverChanged("flushed position", `at least ${reached}`, flushed);
    }
    this.#verifyTimeline(expected["timeline"], reached);
  }

  /** A newer timeline may have left the one we know only behind what we hold. */
  #verifyTimeline(expected: string | undefined, reached: Position): void {
    const { timeline, forks } = this.#options.identity;
    if (timeline === expected) return;
    const fork = forks.find((left) => String(left.timeline) === expected);
    if (fork !== undefined && includes(comparePositions, fork.leftAt, reached)) return;
    const left = fork === undefined ? "" : `, which left ${expected} at ${fork.leftAt}, before ${reached}`;
    throw serverChanged("timeline", expected, `${timeline}${left}`);
  }

  async *stream(signal: AbortSignal): AsyncGenerator<SourceBatch, never, undefined> {
    try {
      return yield* this.#options.stream.batches(signal);
    } catch (error) {
      if (error instanceof UnknownColumnType) this.#options.onUnknownType(error);
      throw error;
    }
  }

  confirm(confirmation: Confirmation): void {
    this.#options.gate.confirm(confirmation);
  }

  async nudge(position: Position, signal: AbortSignal): Promise<void> {
    const { stream, flushing } = this.#options;
    signal.throwIfAborted();
    if (stream.hasPassed(position)) return;
    const flushed = await abortable(flushing.flush(), signal);
    if (comparePositions(position, flushed) === "after") throw aboveTheLog(position, flushed);
    await stream.passed(position, signal);
  }

  async proveLock(signal: AbortSignal): Promise<void> {
    const holder = await this.#options.readHolder(signal);
    if (holder === this.#options.identity.processId) return;
    throw new ReplicationError("connection-lost", "another session holds the slot now");
  }

  async takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]> {
    return await this.#options.takeInTables(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { keptLog, flushing, gate, stream } = this.#options;
    keptLog[Symbol.dispose]();
    await gate[Symbol.asyncDispose]();
    await Promise.all([flushing[Symbol.asyncDispose](), stream[Symbol.asyncDispose]()]);
  }
}

function serverChanged(
  field: string,
  expected: string | undefined,
  found: string | undefined,
): ReplicationError {
  return new ReplicationError(
    "server-changed",
    `the primary is not the server that wrote the topic: ${field} is ${found ?? "unknown"}, not ${expected ?? "known"}`,
    { fix: "connect the pipeline to its own primary; for another server start a pipeline of another name" },
  );
}

function aboveTheLog(lsn: Position, end: Position): ReplicationError {
  return new ReplicationError(
    "write-lost",
    `${lsn} lies above all that the primary has written, which ends at ${end}: it is another server's, or was lost when the primary crashed`,
    {
      fix: "read what the primary has now, and decide whether to write it again",
      fields: { position: lsn, end },
    },
  );
}

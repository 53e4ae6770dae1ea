import {
  hasCode,
  includes,
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
import { UnknownCharset } from "../binlog/charsets.ts";
import type { GateKeeper } from "../gate/gate-keeper.ts";
import { parsed } from "../parsed-position.ts";
import { comparePositions } from "../position.ts";
import { UnsettledDefinition } from "./catalog-facts.ts";
import { NotComparable } from "./compared-start.ts";
import type { PrimaryLog } from "./primary-log.ts";
import type { SourceLock } from "./source-lock.ts";
import type { TransactionStream } from "./transaction-stream.ts";

const SECOND_US = 1_000_000;

export interface SourceSessionOptions {
  readonly log: PrimaryLog;
  readonly start: Position;
  readonly tables: readonly SourceTable[];
  /** Both end with the session. */
  readonly lock: SourceLock;
  readonly stream: TransactionStream;
  /** Ends with the session. */
  readonly gate: GateKeeper;
  /** Where the primary's log ends now. */
  readonly readEnd: (signal: AbortSignal) => Promise<Position>;
  takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]>;
  onUnknownCharset(missing: UnknownCharset): void;
  /** The stream is to be read anew by who knows which definitions change further on. */
  onUnsettled(): void;
  /** The stream is to be read anew from the topic's end on. */
  onNotComparable(): void;
}

/** The primary's lock, and its log. */
export class MysqlSourceSession implements SourceSession {
  readonly server: ServerIdentity;
  readonly start: Position;
  readonly tables: readonly SourceTable[];
  /** The server keeps its log by age, whoever reads it. */
  readonly retained: RetainedLog | null = null;
  readonly #options: SourceSessionOptions;

  constructor(options: SourceSessionOptions) {
    this.#options = options;
    this.server = options.log.server;
    this.start = options.start;
    this.tables = options.tables;
  }

  /** MariaDB's log has whole seconds, which are compared with whole seconds. */
  get nowUs(): number | null {
    const { log, lock } = this.#options;
    const { nowUs } = lock.clock;
    return nowUs === null || log.reading.kind !== "domains"
      ? nowUs
      : Math.floor(nowUs / SECOND_US) * SECOND_US;
  }

  get gate(): GateStatus {
    return this.#options.gate.status;
  }

  verify(expected: ServerIdentity, reached: Position): void {
    const fields = new Set([...Object.keys(expected), ...Object.keys(this.server)]);
    for (const field of fields) {
      if (expected[field] !== this.server[field])
        throw serverChanged(field, expected[field], this.server[field]);
    }
    const { written } = this.#options.log;
    if (isPlace(written) !== isPlace(reached) && parsed(reached)?.kind !== "beginning")
      throw modeChanged(reached, written);
    if (!includes(comparePositions, written, reached))
      throw serverChanged("what it has", `all of ${reached}`, written);
  }

  async *stream(signal: AbortSignal): AsyncGenerator<SourceBatch, never, undefined> {
    const { stream, lock } = this.#options;
    const both = AbortSignal.any([signal, lock.lost]);
    try {
      return yield* stream.batches(both);
    } catch (error) {
      if (error instanceof UnknownCharset) this.#options.onUnknownCharset(error);
      if (error instanceof UnsettledDefinition) this.#options.onUnsettled();
      if (error instanceof NotComparable) this.#options.onNotComparable();
      // Who took the lock reads under the same number.
      if (hasCode(error, "config-invalid")) await lock.prove();
      throw error;
    }
  }

  /** What the server keeps it keeps by age; commits may wait for it. */
  confirm(confirmation: Confirmation): void {
    this.#options.gate.confirm(confirmation);
  }

  /** What was committed is in the log and comes by itself. */
  async nudge(position: Position, signal: AbortSignal): Promise<void> {
    const { stream, readEnd } = this.#options;
    signal.throwIfAborted();
    if (stream.hasPassed(position)) return;
    const end = await readEnd(signal);
    if (!includes(comparePositions, end, position)) throw aboveTheLog(position, end);
    await stream.passed(position, signal);
  }

  async proveLock(_signal: AbortSignal): Promise<void> {
    await this.#options.lock.prove();
  }

  async takeInTables(signal: AbortSignal): Promise<readonly SourceTable[]> {
    return await this.#options.takeInTables(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { stream, lock, gate } = this.#options;
    await gate[Symbol.asyncDispose]();
    await stream[Symbol.asyncDispose]();
    await lock[Symbol.asyncDispose]();
  }
}

function isPlace(position: Position): boolean {
  return parsed(position)?.kind === "file";
}

/** What both say cannot be compared; a server that was asked for places in its files would still have them. */
function modeChanged(reached: Position, end: Position): ReplicationError {
  return new ReplicationError(
    "setup-incomplete",
    `the topic ends at ${reached}, and the primary's log at ${end}: its gtid_mode was changed since`,
    {
      fix: isPlace(reached)
        ? "set gtid_mode back (by ON_PERMISSIVE and OFF_PERMISSIVE), or make the pipeline anew, with a snapshot: ids are better"
        : "set gtid_mode = ON on the primary and leave it so; where something was committed without ids meanwhile, make the pipeline anew, with a snapshot",
      fields: { reached, end },
    },
  );
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

function aboveTheLog(position: Position, end: Position): ReplicationError {
  return new ReplicationError(
    "write-lost",
    `${position} lies above all that the primary has written, which ends at ${end}: it is another server's, or was lost when the primary crashed`,
    {
      fix: "read what the primary has now, and decide whether to write it again",
      fields: { position, end },
    },
  );
}

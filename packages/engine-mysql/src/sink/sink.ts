import {
  errorFinding,
  errorOf,
  ReplicationError,
  type CatchUpSession,
  type ConflictPolicy,
  type CopyTarget,
  type ErrorFinding,
  type ExistingRows,
  type Failpoints,
  type Logger,
  type Progress,
  type Sink,
  type SinkSession,
  type TableName,
} from "@lockstep/core";
import { connect, type Connected } from "../connection.ts";
import type { Dialect } from "../schema/type-rules.ts";
import { toReplicationError } from "../server-error.ts";
import { claimReplica } from "./claim.ts";
import { MysqlCopyTarget } from "./copy/copy-target.ts";
import { refusePrimary } from "./primary-itself.ts";
import { readProgressRow } from "./progress.ts";
import { connectReplica, openCopySession, type ReplicaConnection } from "./replica-session.ts";
import { MysqlSinkSession } from "./session.ts";
import { advanceTablesStatement, readTableRows } from "./table-rows.ts";
import { TargetSession } from "./target-session.ts";

/** Of the one session of a catch-up. */
const CATCH_UP_SLOT = 1;

export interface MysqlSinkOptions {
  readonly replica: string;
  readonly url: string;
  /** The url's paths are relative to it. */
  readonly folder?: string | undefined;
  readonly pipeline: string;
  /** Whose words the primary's native types are: of another than the replica's own, columns go by what they mean. */
  readonly dialect?: Dialect | undefined;
  readonly onConflict: ConflictPolicy;
  readonly existing: ExistingRows;
  readonly logger: Logger;
  readonly failpoints?: Failpoints | undefined;
}

/** MySQL or MariaDB as replica. */
export function createMysqlSink(options: MysqlSinkOptions): Sink {
  return new MysqlSink(options);
}

class MysqlSink implements Sink {
  readonly #options: MysqlSinkOptions;
  readonly #connection: ReplicaConnection;

  constructor(options: MysqlSinkOptions) {
    this.#options = options;
    const { url, folder, replica } = options;
    this.#connection = { url, folder, replica };
  }

  get replica(): string {
    return this.#options.replica;
  }

  async readProgress(signal: AbortSignal): Promise<Progress | null> {
    await using connected = await connect(this.#connection, signal);
    try {
      return await readProgressRow(connected.session, this.#options.pipeline);
    } catch (error) {
      throw toReplicationError(error, `replica ${this.replica}`);
    }
  }

  async claim(owner: string, takeOver: boolean, signal: AbortSignal): Promise<SinkSession> {
    // The signal bounds the claim alone: afterwards what is in hand may finish, and `apply` has its own.
    const claiming = new AbortController();
    const abort = (): void => claiming.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      const connected = await connectReplica(this.#connection, claiming.signal);
      return await this.#claimOn(connected, owner, takeOver);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** The connection is the session's from now on. */
  async #claimOn(connected: Connected, owner: string, takeOver: boolean): Promise<SinkSession> {
    const { pipeline, dialect, onConflict, logger, failpoints } = this.#options;
    const { replica } = this;
    const { session } = connected;
    try {
      await refusePrimary(session, pipeline, replica);
      const progress = await claimReplica(connected, { pipeline, owner, replica, takeOver });
      if (progress?.isPaused === true) throw paused(replica);
      const tables = await readTableRows(session, pipeline);
      if (progress === null && tables.length > 0) throw errorOf(progressMissing(replica, pipeline));
      return new MysqlSinkSession({
        connected,
        replica,
        pipeline,
        dialect,
        owner,
        policy: onConflict,
        logger,
        failpoints,
        progress,
        isCopying: progress?.isCopying === true,
        tables,
      });
    } catch (error) {
      await connected[Symbol.asyncDispose]();
      throw toReplicationError(error, `replica ${replica}`);
    }
  }

  async openCopy(owner: string, signal: AbortSignal): Promise<CopyTarget> {
    const { pipeline, dialect, existing, logger, failpoints } = this.#options;
    const connection = this.#connection;
    return await Promise.resolve(
      new MysqlCopyTarget({ connection, pipeline, dialect, owner, existing, logger, failpoints, signal }),
    );
  }

  async openCatchUp(
    owner: string,
    tables: readonly TableName[],
    from: Progress,
    signal: AbortSignal,
  ): Promise<CatchUpSession> {
    const { pipeline, dialect, onConflict, logger } = this.#options;
    const options = { connection: this.#connection, pipeline, owner, slot: CATCH_UP_SLOT, isAlone: true };
    return new TargetSession({
      connected: await openCopySession(options, signal),
      replica: this.replica,
      dialect,
      policy: onConflict,
      logger,
      failpoints: undefined, // Those of the replica's own way are not passed here.
      progress: from,
      advance: (stored, next) => advanceTablesStatement({ pipeline, owner }, tables, stored, next),
      advancedRows: tables.length,
    });
  }
}

/** A2: a row that vanished is no reason to copy again. */
export function progressMissing(replica: string, pipeline: string): ErrorFinding {
  return errorFinding(
    "progress-missing",
    `replica ${replica} was copied before, but its row in lockstep.progress is gone`,
    {
      fix: "restore that row; or, to copy the replica anew, empty its tables and run there",
      sql: `delete from lockstep.tables where pipeline = '${pipeline}'`,
    },
  );
}

function paused(replica: string): ReplicationError {
  return new ReplicationError("replica-paused", `replica ${replica} is paused`, {
    fix: `lockstep resume ${replica}`,
    fields: { replica },
  });
}
